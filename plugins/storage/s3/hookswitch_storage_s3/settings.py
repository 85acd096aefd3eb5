"""What the plugin reads from the environment; credentials are read by the AWS SDK itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from hookswitch.plugin import Settings
from hookswitch.settings import web_address


class S3Settings(Settings):
    """Where recordings go whose request does not say otherwise."""

    s3_bucket: str = Field("", description="Bucket for recordings with storage=s3")
    s3_region: str = Field("us-east-1", description="AWS region of the bucket")
    s3_endpoint: Annotated[str, AfterValidator(web_address)] = Field(
        "", description="URL of an S3 API that is not Amazon's (MinIO, Ceph, …)"
    )
    s3_prefix: str = Field(
        "", description="What object names begin with, such as recordings/; the file's name follows"
    )
