"""What is shown of messages: everything but credentials and keys."""

import pytest

from hookswitch_transport_sip.ladder.redaction import shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            'Authorization: Digest username="a", response="deadbeef"',
            "Authorization: Digest (hidden)",
        ),
        ("proxy-authorization : Basic c2VjcmV0", "proxy-authorization : Basic (hidden)"),
        (
            "Authorization: Digest\r\n response=deadbeef,\r\n\tnc=1",
            "Authorization: Digest (hidden)",
        ),
        ("X-Webhook-Secret: hush", "X-Webhook-Secret: (hidden)"),
        ("x-api-key:hush", "x-api-key: (hidden)"),
        ("X-My-Token: hush", "X-My-Token: (hidden)"),
        ('WWW-Authenticate: Digest nonce="n"', 'WWW-Authenticate: Digest nonce="n"'),
        ("Contact: <sip:bob:hush@h:5060>", "Contact: <sip:bob:(hidden)@h:5060>"),
        ("Contact: <sip:h:5060;x=y>", "Contact: <sip:h:5060;x=y>"),
        ("Alert-Info: <http://u:hush@h:80/x>", "Alert-Info: <http://u:(hidden)@h:80/x>"),
        ("Alert-Info: <http://h:80/x;y>", "Alert-Info: <http://h:80/x;y>"),
        ("To: <sip:bob@h:5060>", "To: <sip:bob@h:5060>"),
        (
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|2^20|1:4;inline:aHVzaA FEC",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(hidden)|2^20|1:4;inline:(hidden) FEC",
        ),
        ("a=key-mgmt:mikey AQAFgM", "a=key-mgmt:mikey (hidden)"),
        ("k=clear:hush", "k= (hidden)"),
        ("a=fingerprint:sha-256 AA:BB", "a=fingerprint:sha-256 AA:BB"),
    ],
)
def test_a_line(line: str, expected: str) -> None:
    message = f"INVITE sip:a SIP/2.0\r\n{line}\r\nCSeq: 1 INVITE\r\n\r\n{line}\r\n"
    text = shown(message.encode())
    assert text == message.replace(line, expected)
    assert "hush" not in text


def test_what_is_no_text_is_shown_too() -> None:
    assert shown(b"INFO sip:a SIP/2.0\r\n\r\n\xff\0") == "INFO sip:a SIP/2.0\r\n\r\n\ufffd\0"
