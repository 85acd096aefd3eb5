"""A phone of another stack (PJSUA), a program of its own: calls, plays a file, records another.

python pjsua_phone.py URI SRTP CODEC TONE.wav HEARD.wav SECONDS

SRTP is off, optional or mandatory. It prints what its call was like when it has hung up.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import pjsua2 as pj

MODES = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "mandatory": pj.PJMEDIA_SRTP_MANDATORY,
}


class Call(pj.Call):
    """Plays and records as soon as there is media."""

    def __init__(self, account: pj.Account, player: Any, recorder: Any) -> None:
        super().__init__(account)
        self.player, self.recorder, self.state = player, recorder, ""

    def onCallState(self, prm: Any) -> None:  # noqa: N802  (its name for it)
        self.state = self.getInfo().stateText

    def onCallMediaState(self, prm: Any) -> None:  # noqa: N802
        info = self.getInfo()  # owns its list: without it, the list is garbage
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = self.getAudioMedia(index)
                self.player.startTransmit(audio)
                audio.startTransmit(self.recorder)


def main(uri: str, mode: str, codec: str, tone: str, heard: str, seconds: str) -> None:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt, config.uaConfig.mainThreadOnly = 0, True
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.noVad = True
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port, transport.boundAddress = 0, "127.0.0.1"
    endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for known in endpoint.codecEnum2():
        endpoint.codecSetPriority(known.codecId, 255 if known.codecId.startswith(codec) else 0)
    account_config = pj.AccountConfig()
    account_config.idUri = "sip:pjsua@127.0.0.1"
    account_config.mediaConfig.srtpUse = MODES[mode]
    account_config.mediaConfig.srtpSecureSignaling = 0
    account_config.mediaConfig.transportConfig.boundAddress = "127.0.0.1"
    account = pj.Account()
    account.create(account_config)
    player = pj.AudioMediaPlayer()
    player.createPlayer(tone)
    recorder = pj.AudioMediaRecorder()
    recorder.createRecorder(heard)
    call = Call(account, player, recorder)
    call.makeCall(uri, pj.CallOpParam(True))
    deadline = time.monotonic() + 15
    while call.state != "CONFIRMED" and time.monotonic() < deadline:
        endpoint.libHandleEvents(10)
        if call.state == "DISCONNCTD":
            break
    until = time.monotonic() + float(seconds)
    while call.state == "CONFIRMED" and time.monotonic() < until:
        endpoint.libHandleEvents(10)
    print(call.dump(True, "") if call.state == "CONFIRMED" else call.state, flush=True)
    if call.state == "CONFIRMED":
        call.hangup(pj.CallOpParam(True))
        endpoint.libHandleEvents(100)
    del call.player, call.recorder, player, recorder, call
    account.shutdown()
    endpoint.libDestroy()


if __name__ == "__main__":
    main(*sys.argv[1:])
