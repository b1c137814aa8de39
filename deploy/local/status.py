"""`make status`: one aligned line for each process, asked anew."""

import json
import time

import psutil

from deploy.local.console import duration, line, paint
from deploy.local.fleet import Fleet
from deploy.local.layout import recorded_ports
from deploy.local.running import is_supervised, state

HEADINGS = ("PART", "STATE", "PID", "PORT", "UPTIME", "MEMORY", "RESTARTS")


def _memory(process: psutil.Process) -> int:
    """Memory of a process and everything below it, shared pages counted once where the system tells."""
    total = 0
    for each in [process, *process.children(recursive=True)]:
        try:
            full = each.memory_full_info()
            total += getattr(full, "pss", 0) or full.rss
        except psutil.Error:
            continue
    return total


def rows() -> list[dict[str, str]]:
    """What is shown, one dictionary for each process by heading in small letters; empty when nothing runs."""
    found, ports = state(), recorded_ports()
    if not found or not ports or not is_supervised():
        return []
    probes = {process.name: process.ready for process in Fleet(ports).processes()}
    shown = []
    for each in found["processes"]:
        row = {
            "part": each["name"],
            "state": each["state"],
            "port": str(each["port"] or ""),
            "restarts": str(each["restarts"]),
        }
        probe = probes.get(each["name"])
        if each["state"] == "healthy" and probe and not probe():
            row["state"] = "not ready"
        if each["pid"] and psutil.pid_exists(each["pid"]):
            process = psutil.Process(each["pid"])
            row |= {"pid": str(each["pid"]), "uptime": duration(time.time() - process.create_time())}
            row["memory"] = f"{_memory(process) / 2**20:.0f} MB"
        # A one-shot that is done has nothing more to tell.
        if each["state"] != "done":
            shown.append(row)
    return shown


def show(as_json: bool = False) -> int:
    """Print the table; 0 when all is healthy, 1 when something is not, 3 when nothing runs."""
    found = rows()
    if as_json:
        print(json.dumps(found, indent=2))
    elif not found:
        line("Nothing is running. Start the fleet with: make up")
    else:
        table = [HEADINGS, *(tuple(row.get(name.lower(), "") for name in HEADINGS) for row in found)]
        widths = [max(len(cells[index]) for cells in table) for index in range(len(HEADINGS))]
        for number, cells in enumerate(table):
            text = "  ".join(
                cell.rjust(width) if index >= 2 else cell.ljust(width)
                for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            healthy = cells[1] == "healthy"
            line(paint(text, "bold") if number == 0 else text if healthy else paint(text, "yellow"))
    if not found:
        return 3
    return 0 if all(row["state"] == "healthy" for row in found) else 1
