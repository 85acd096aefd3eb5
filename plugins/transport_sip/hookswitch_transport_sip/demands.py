"""What the body of a challenge asks for, in the API and from hooks."""

from __future__ import annotations

import re
from typing import Literal, cast

from pydantic import Field, model_validator

from hookswitch.plugin import ApiModel, ChallengeRegistration, parse

from .admission.challenge import Demand
from .sip.digest import Ha1, Secret

_DIGITS: dict[Literal["MD5", "SHA-256"], int] = {"MD5": 32, "SHA-256": 64}


class ChallengeCaller(ApiModel):
    """Whose password a caller has to know."""

    realm: str | None = Field(
        None, max_length=200, description="Default SIP_DOMAIN, else the announced address"
    )
    username: str | None = Field(
        None, max_length=200, description="The only user name that counts; default any"
    )
    password: str | None = Field(None, description="The password; either this or ha1")
    ha1: str | None = Field(
        None, description="Hash of username:realm:password by the algorithm, in hexadecimal"
    )
    algorithm: Literal["MD5", "SHA-256"] | None = Field(
        None, description="Default MD5, which every phone knows; with ha1, what its length tells"
    )
    qop: Literal["auth"] = Field("auth", description="Quality of protection")

    @model_validator(mode="after")
    def _one_secret(self) -> ChallengeCaller:
        if (self.password is None) == (self.ha1 is None):
            raise ValueError("password: give either a password or an ha1")
        if self.ha1 is not None:
            self._check_ha1(self.ha1)
        for name in ("realm", "username"):
            if not (getattr(self, name) or "").isprintable():
                raise ValueError(f"{name}: must be one line of printable characters")
        return self

    def _check_ha1(self, ha1: str) -> None:
        if self.realm is None:
            raise ValueError("realm: required with ha1, which holds for one realm only")
        lengths = [_DIGITS[self.algorithm]] if self.algorithm else [*_DIGITS.values()]
        if not re.fullmatch(r"[0-9A-Fa-f]+", ha1) or len(ha1) not in lengths:
            raise ValueError("ha1: must be the hexadecimal digits of a hash by the algorithm")

    @classmethod
    def of(cls, decision: ChallengeRegistration) -> ChallengeCaller:
        """What a decision asks for. Raises BadRequest."""
        names = ("realm", "username", "password", "ha1", "algorithm")
        return cast(ChallengeCaller, parse(cls, {n: getattr(decision, n) for n in names}))

    def demand(self, realm: str, max_expires: int | None = None) -> Demand:
        """What is demanded; `realm` where the body names none."""
        secret: Secret = Ha1(self.ha1) if self.ha1 is not None else self.password or ""
        algorithm: Literal["MD5", "SHA-256"] = self.algorithm or "MD5"
        if self.ha1 is not None:
            algorithm = next(name for name, digits in _DIGITS.items() if digits == len(self.ha1))
        return Demand(self.realm or realm, secret, self.username, (algorithm,), max_expires)
