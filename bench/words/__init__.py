"""How right transcripts are and what they cost, on simulated recordings whose words are known.

clean clips → words of each → reference ─┐
conversation → systems → words ──────────┴► alignment → rates
"""
