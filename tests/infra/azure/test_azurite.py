"""The stand-in itself: what the other tests lean on."""

import os

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.storage.blob import ContainerClient

from tests.infra.azure.azurite import Azurite, Tokens, token


def test_it_keeps_blobs_in_the_two_containers(azurite: Azurite) -> None:
    azurite.service().get_blob_client("runs", "a/b").upload_blob(b"text")
    assert azurite.blobs("runs") == {"a/b": b"text"}
    assert azurite.blobs("data") == {}


def test_a_token_of_entra_opens_it_and_one_for_elsewhere_does_not(azurite_tls: Azurite) -> None:
    tokens = Tokens()
    client = ContainerClient(azurite_tls.address, "runs", credential=tokens, retry_total=0)
    client.upload_blob("x", b"by token")
    assert tokens.asked == ["https://storage.azure.com/.default"]
    assert azurite_tls.blobs("runs") == {"x": b"by token"}
    assert os.environ["SSL_CERT_FILE"] == str(azurite_tls.certificate)

    class Wrong(Tokens):
        def get_token(self, *scopes: str, **_: object) -> object:
            from azure.core.credentials import AccessToken

            return AccessToken(token("https://vault.azure.net"), 2**31)

    wrong = ContainerClient(azurite_tls.address, "runs", credential=Wrong(), retry_total=0)
    with pytest.raises((ClientAuthenticationError, HttpResponseError)):
        wrong.upload_blob("y", b"no")
