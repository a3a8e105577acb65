"""`ferrule lab`: three nodes, a router and clients in network namespaces of this machine."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in (
        ("up", "build the lab, start everything, wait until it serves"),
        ("down", "remove the lab with everything in it"),
        ("status", "show the lab's machines, processes and Services"),
        ("exec", "run a command on a machine of the lab"),
        ("demo", "build a lab, show in nine steps what Ferrule does, remove it"),
    ):
        action = actions.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        default = "demo" if name == "demo" else "lab"
        action.add_argument("--name", default=default, help="which lab; several may be up (default: %(default)s)")
        if name == "status":
            action.add_argument("-o", "--output", choices=("table", "json"), default="table")
        if name == "exec":
            action.add_argument("machine", help="node-a, node-b, node-c, router, client, neighbor, ep-a, ...")
            action.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND", help="default: a shell")


def run(arguments: argparse.Namespace) -> int:
    from orchestrator.lab import commands, demo

    match arguments.action:
        case "up":
            return commands.up(arguments.name)
        case "down":
            return commands.down(arguments.name)
        case "status":
            return commands.status(arguments.name, as_json=arguments.output == "json")
        case "exec":
            return commands.execute(arguments.name, arguments.machine, arguments.argv)
        case _:
            return demo.run(arguments.name)
