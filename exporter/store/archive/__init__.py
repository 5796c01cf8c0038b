"""Archives: expired partitions as files in a folder or a bucket, verified before the drop, restored on demand."""

from exporter.store.archive.manifest import Manifest, manifests
from exporter.store.archive.person import PersonInArchives
from exporter.store.archive.place import ArchiveOptions, Place
from exporter.store.archive.restore import Loaded, Period, parse_period, restore, unload
from exporter.store.archive.store import PartitionArchiver
from exporter.store.archive.verify import Verified, verify

__all__ = [
    "ArchiveOptions",
    "Loaded",
    "Manifest",
    "PartitionArchiver",
    "Period",
    "PersonInArchives",
    "Place",
    "Verified",
    "manifests",
    "parse_period",
    "restore",
    "unload",
    "verify",
]
