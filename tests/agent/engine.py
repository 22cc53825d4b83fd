"""A container runtime on a unix socket: answers what Docker's Engine API 1.41 says, from a list that tests change."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any


class Engine:
    """`raw` replaces whole answers by path, to lie; `asked` are the paths that came."""

    def __init__(
        self, path: Path, *, product: str = "Docker Engine - Community", chunked: bool = True
    ) -> None:
        self.path, self._product, self._chunked = path, product, chunked
        self.containers: dict[str, dict[str, Any]] = {}
        self.raw: dict[str, bytes] = {}
        self.asked: list[str] = []
        self._server: asyncio.AbstractServer | None = None
        self._served: set[asyncio.Task[None]] = set()

    def add(
        self, id_: str, name: str, image: str = "nginx:1.25", state: str = "running", **detail: Any
    ) -> None:
        self.containers[id_] = {"name": name, "image": image, "state": state, **detail}

    async def start(self) -> Engine:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, str(self.path))
        return self

    async def stop(self) -> None:
        assert self._server is not None
        await asyncio.sleep(0.01)  # whom it is about to accept is known by then
        self._server.close()
        for one in self._served:
            one.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = asyncio.ensure_future(self._serve(reader, writer))
        self._served.add(served)
        served.add_done_callback(self._served.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := (await reader.readline()).decode():
                while (await reader.readline()).strip():
                    pass
                target = line.split(" ")[1]
                self.asked.append(target)
                writer.write(self.raw[target] if target in self.raw else self._answer(target))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            await writer.wait_closed()

    def _answer(self, target: str) -> bytes:
        found = self._find(target)
        body = json.dumps(found if found is not None else {"message": "No such container"}).encode()
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\n" % (
            b"200 OK" if found is not None else b"404 Not Found"
        )
        if not self._chunked:
            return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        middle = len(body) // 2
        parts = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part
        )
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + parts + b"0\r\n\r\n"

    def _find(self, target: str) -> Any:
        if target == "/version":
            return {"Version": "24.0.7", "ApiVersion": "1.41", "Components": [{"Name": self._product}]}
        if target == "/containers/json?all=1":
            return [self._listed(id_, one) for id_, one in self.containers.items()]
        id_ = target.removeprefix("/containers/").removesuffix("/json")
        return self._inspected(self.containers[id_]) if id_ in self.containers else None

    def _listed(self, id_: str, one: dict[str, Any]) -> dict[str, Any]:
        health = f" ({one['health']})" if one.get("health") else ""
        return {
            "Id": id_, "Names": [f"/{one['name']}"], "Image": one["image"], "ImageID": "sha256:1", "Command": "x",
            "Created": 1700000000, "State": one["state"], "Status": f"Up {len(self.asked)} minutes{health}",
        }  # fmt: skip

    def _inspected(self, one: dict[str, Any]) -> dict[str, Any]:
        state = {"Status": one["state"], "Pid": 1, "StartedAt": one.get("started", "2023-11-14T22:13:20.5Z")}
        if one.get("health"):
            state["Health"] = {"Status": one["health"], "FailingStreak": 0, "Log": []}
        return {"Id": "x", "State": state, "RestartCount": one.get("restarts", 0)}
