"""What the SDK's errors mean to somebody who wants to record."""

from __future__ import annotations

from .requests import Target

_KEYS = "s3_access_key, or the server's AWS credentials"


def refusal(problem: Exception, target: Target) -> str:
    """Why a recording cannot go to this target, beginning with the field to look at."""
    from botocore import exceptions as aws

    bucket = target.bucket
    match problem:
        case aws.ClientError():
            return _answered(str(problem.response["Error"].get("Code", "")), problem, bucket)
        case aws.NoCredentialsError() | aws.PartialCredentialsError():
            return "s3_access_key: none is given, and the server has no AWS credentials"
        case aws.ParamValidationError() | aws.InvalidRegionError():
            return f"s3_bucket, s3_region: {problem}"
        case aws.ConnectionError() | aws.HTTPClientError():
            return f"s3_endpoint: cannot be reached: {problem}"
        case ValueError():
            return f"s3_endpoint: {problem}"
    return f"s3: {problem}"


def _answered(code: str, problem: Exception, bucket: str) -> str:
    """A HEAD has no body, so the SDK knows most reasons by their status only."""
    if code in ("404", "NoSuchBucket"):
        return f"s3_bucket: there is no bucket {bucket!r}"
    if code in ("301", "PermanentRedirect"):
        return f"s3_region: the bucket {bucket!r} is in another region"
    if code in ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"):
        return f"s3_bucket: no access to the bucket {bucket!r} ({code}); check {_KEYS}"
    if code == "400":
        return f"s3_bucket: the bucket {bucket!r} is refused; check {_KEYS}, and s3_region"
    return f"s3: {problem}"
