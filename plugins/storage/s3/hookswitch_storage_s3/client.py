"""How the AWS SDK is set up."""

from __future__ import annotations

from typing import Any

from .requests import Target

CONNECT_TIMEOUT, READ_TIMEOUT = 5, 30
"""Seconds."""


def connect(target: Target) -> Any:
    """A client for one target. It connects when it is first used."""
    import boto3  # takes a third of a second: only servers that store something in S3 wait for it
    from botocore.config import Config

    custom: dict[str, Any] = {}
    if target.endpoint is not None:
        # Others than Amazon seldom have a host name per bucket, or know the newer checksums.
        custom = {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
    keys: dict[str, str] = {}
    if target.keys is not None:
        access, secret = target.keys
        keys = {
            "aws_access_key_id": access,
            "aws_secret_access_key": secret.get_secret_value(),
        }
    return boto3.session.Session().client(
        "s3",
        region_name=target.region,
        endpoint_url=target.endpoint,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"total_max_attempts": 2, "mode": "standard"},  # the queue tries again, too
            **custom,
        ),
        **keys,
    )
