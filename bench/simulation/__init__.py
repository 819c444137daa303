"""Conversations made of clips of known voices: several kinds, over several channels, with turns.

    voices → words → script (words, times) → scene (tracks, turns) → channel → conversation

`making.simulate` makes one conversation; `writing.write_conversations` writes files of several.
"""
