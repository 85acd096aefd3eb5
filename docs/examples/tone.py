"""Join the room "lobby", say a tone for ten seconds, print each second how loud the others are."""

import math
from array import array

from websockets.sync.client import connect

URL = "ws://127.0.0.1:8080/v1/legs/websocket?room_id=lobby&sample_rate=8000"
FRAME = 160  # samples: 20 ms
tone = array("h", (int(8000 * math.sin(i * math.tau * 660 / 8000)) for i in range(8000)))

with connect(URL) as leg:
    for number in range(500):
        start = number * FRAME % 8000
        leg.send(tone[start : start + FRAME].tobytes())
        heard = array("h", leg.recv())
        if number % 50 == 49:
            print(max(heard), flush=True)
