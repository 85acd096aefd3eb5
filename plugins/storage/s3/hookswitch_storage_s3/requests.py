"""The fields a request to record has for this storage, and what they amount to."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, HttpUrl, SecretStr, model_validator

from hookswitch.plugin import ApiModel, BadRequest

from .settings import S3Settings


class S3Options(ApiModel):
    """All optional: each overrides a setting."""

    s3_bucket: str | None = Field(None, description="Bucket; default S3_BUCKET")
    s3_region: str | None = Field(None, description="AWS region; default S3_REGION")
    s3_endpoint: HttpUrl | None = Field(
        None, description="URL of an S3 API that is not Amazon's; default S3_ENDPOINT"
    )
    s3_prefix: str | None = Field(
        None, description="What the object's name begins with; default S3_PREFIX"
    )
    s3_access_key: str | None = Field(
        None, description="AWS access key id; default: the SDK's chain of credentials"
    )
    s3_secret_key: SecretStr | None = Field(None, description="Goes with s3_access_key")

    @model_validator(mode="after")
    def _keys_together(self) -> S3Options:
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError("s3_access_key and s3_secret_key must be set together")
        return self


@dataclass(frozen=True, slots=True)
class Target:
    """Where a file goes."""

    bucket: str
    region: str
    endpoint: str | None
    prefix: str
    keys: tuple[str, SecretStr] | None

    @classmethod
    def of(cls, options: S3Options, settings: S3Settings) -> Target:
        """What a request and the settings say together. Raises BadRequest."""
        bucket = options.s3_bucket or settings.s3_bucket
        if not bucket:
            raise BadRequest("s3_bucket: required, since the setting S3_BUCKET is empty")
        keys = None
        if options.s3_access_key is not None and options.s3_secret_key is not None:
            keys = (options.s3_access_key, options.s3_secret_key)
        prefix = options.s3_prefix if options.s3_prefix is not None else settings.s3_prefix
        return cls(
            bucket,
            options.s3_region or settings.s3_region,
            str(options.s3_endpoint) if options.s3_endpoint else settings.s3_endpoint or None,
            prefix,
            keys,
        )
