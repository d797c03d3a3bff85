"""What boto3's clients of all services share: the session, and errors of logins.

Credentials, profile and role come from boto3's own chain. No message holds a secret.
"""

from __future__ import annotations

import os

import boto3
from botocore.exceptions import (
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

CREDENTIAL_ERRORS = (
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)
# How services call credentials that they know nothing of, or no more.
CREDENTIAL_CODES = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    )
)
NO_CREDENTIALS = (
    "there are no valid AWS credentials: run `aws configure` or `aws sso login`, set AWS_PROFILE,"
    " or give the machine a role"
)


def aws_session() -> boto3.Session:
    """Return a session in the region that AWS_REGION names, as all other tools of AWS read it.

    boto3 alone reads AWS_DEFAULT_REGION and profiles, which do where AWS_REGION is not set. Raises
    botocore's ProfileNotFound.
    """
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
