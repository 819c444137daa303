"""Run the networks once, and try several settings on what they computed.

python try_settings.py [RECORDING]
"""

import sys
import time
from importlib.resources import files

from hocket import Config, Diarizer
from hocket.audio.reading import read_audio
from hocket.config import ClusteringConfig, SpeakerCount, TurnConfig

EXAMPLE = files("hocket") / "example" / "conversation.flac"
SETTINGS = {
    "default": Config(),
    "spectral clustering": Config(clustering=ClusteringConfig(method="spectral")),
    "no pause closed": Config(turns=TurnConfig(min_pause_s=0)),
    "turns of 1 s or more": Config(turns=TurnConfig(min_turn_s=1)),
}


def main(recording: str) -> None:
    """Print how many speakers and turns each setting finds in `recording`."""
    begin = time.perf_counter()
    artifacts = Diarizer().infer(read_audio(recording, target_rate=16_000))
    print(f"networks: {time.perf_counter() - begin:.2f} s")
    for name, config in SETTINGS.items():
        diarizer = Diarizer(config)
        for count in (SpeakerCount(), SpeakerCount(1, 1)):
            begin = time.perf_counter()
            result = diarizer.finish(artifacts, count)
            seconds = time.perf_counter() - begin
            asked = count.maximum or "any number"
            print(
                f"{name}, {asked}: {len(result.speakers)} speakers, {len(result.turns)} turns, "
                f"{1000 * seconds:.0f} ms"
            )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE))
