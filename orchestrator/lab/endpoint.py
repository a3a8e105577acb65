"""An endpoint of Services: answers every HTTP request with its name, its node and the client's address as it sees it.

Runs as `python -m orchestrator.lab.endpoint --name ep-a --node node-a`; one JSON object per answer. Behind a node that
masquerades, the client's address is that node's: it tells which way a request came.
"""

import argparse
import asyncio
import json

HEAD_LIMIT_S = 5.0


async def serve(name: str, node: str, port: int) -> None:
    """Serve until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_LIMIT_S)
            writer.write(_response(name, node, writer.get_extra_info("peername")[0]))
            await writer.drain()
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(answer, None, port)
    async with server:
        await server.serve_forever()


def _response(name: str, node: str, client: str) -> bytes:
    body = json.dumps({"endpoint": name, "node": node, "client": client.removeprefix("::ffff:")}).encode() + b"\n"
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description="An HTTP server that says who it is.")
    parser.add_argument("--name", required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.name, arguments.node, arguments.port))


if __name__ == "__main__":
    main()
