"""What the kernel says of a process: memory, CPU time."""

from pathlib import Path


def memory_mib(pid: int) -> float:
    """Return the resident memory (VmRSS)."""
    return _status_mib(pid, "VmRSS")


def peak_memory_mib(pid: int) -> float:
    """Return the largest resident memory so far (VmHWM)."""
    return _status_mib(pid, "VmHWM")


def cpu_s(pid: int) -> float:
    """Return the time that all threads have run on a CPU; unlike /proc/PID/stat not sampled by ticks."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def _status_mib(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024
