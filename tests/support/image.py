"""The users and groups of the image that deploy/manifests/ferrule.yaml runs: fixed numbers, which its fsGroup names."""

from pathlib import Path

FRR_ID, VTY_ID = 92, 85
"""Those that FRR's own packages for Red Hat have; Debian's give any."""
USERS = (f"frr:x:{FRR_ID}:{FRR_ID}:FRR:/nonexistent:/usr/sbin/nologin",)
GROUPS = (f"frr:x:{FRR_ID}:", f"frrvty:x:{VTY_ID}:frr")


def write_names(folder: Path) -> dict[str, Path]:
    """Write this machine's passwd and group with FRR's entries replaced; return them by their path in a container."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for path, entries in ((Path("/etc/passwd"), USERS), (Path("/etc/group"), GROUPS)):
        names = {entry.partition(":")[0] for entry in entries}
        lines = [line for line in path.read_text().splitlines() if line.partition(":")[0] not in names]
        files[str(path)] = folder / path.name
        files[str(path)].write_text("\n".join([*lines, *entries]) + "\n")
    return files
