"""All readers that are fuzzed, by room."""

from tests.fuzz.target import Target
from tests.fuzz.targets import embeddings, faces, images, lab, models, programs, records, settings

TARGETS: dict[str, Target] = {
    target.name: target
    for room in (faces, images, embeddings, models, programs, settings, records, lab)
    for target in room.TARGETS
}
