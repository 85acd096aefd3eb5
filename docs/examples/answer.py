"""Answer every call and put it into the room "lobby", also those that came while we were away."""

import asyncio
import json

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

URL = "ws://127.0.0.1:8080/v1/vsi"


async def main(url: str = URL) -> None:
    resume = ""
    while True:
        try:
            async with connect(url + resume) as stream:
                async for text in stream:
                    message = json.loads(text)
                    if "cursor" in message:  # an event
                        resume = f"?after={message['cursor']}"
                    if message["type"] == "connected":
                        print("waiting for calls", flush=True)
                    elif message["type"] == "leg.ringing" and message["leg_type"] == "sip_inbound":
                        payload = {"room_id": "lobby", "leg_id": message["leg_id"]}
                        command = {"type": "add_leg_to_room", "payload": payload}
                        await stream.send(json.dumps(command))
                    elif message["type"] == "error":
                        print(message["data"]["message"], flush=True)
        except (OSError, ConnectionClosed):
            await asyncio.sleep(1)  # the server is away


if __name__ == "__main__":
    asyncio.run(main())
