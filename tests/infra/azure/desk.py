"""A user's desk: logged in to a stand-in of Azure that sells what is asked for, with nothing there yet."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.azure import account
from infra.azure.sizes import SIZES
from infra.azure.subscription import NEEDED
from tests.infra.azure.fake_arm import LOCATION, SUBSCRIPTION, TENANT, Credential, FakeArm, running

VARIABLES = ("AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID", "SONARSTACK_CALLER_ADDRESS")
T4, A100 = SIZES["Standard_NC4as_T4_v3"], SIZES["Standard_NC24ads_A100_v4"]


def subscription(number: str = SUBSCRIPTION, name: str = "mine", state: str = "Enabled") -> dict[str, Any]:
    """As Azure lists one."""
    return {"subscriptionId": number, "displayName": name, "state": state, "tenantId": TENANT}


def sku(name: str, family: str, *, spot: bool = True, host: bool = True, **more: Any) -> dict[str, Any]:
    """A size as Azure's list of SKUs has it."""
    capabilities = {"LowPriorityCapable": spot, "EncryptionAtHostSupported": host, "PremiumIO": True}
    return {
        "resourceType": "virtualMachines", "name": name, "tier": "Standard", "family": family, "locations": [LOCATION],
        "locationInfo": [{"location": LOCATION, "zones": ["1", "2"], "zoneDetails": []}], "restrictions": [],
        "capabilities": [{"name": key, "value": str(value)} for key, value in capabilities.items()], **more,
    }  # fmt: skip


def price(name: str, usd: float, *, spot: bool) -> dict[str, Any]:
    """A row of the retail price list."""
    return {
        "armSkuName": name, "armRegionName": LOCATION, "retailPrice": usd, "unitOfMeasure": "1 Hour",
        "productName": "Virtual Machines NCasT4_v3 Series", "skuName": f"{name}{' Spot' if spot else ''}",
        "type": "Consumption", "currencyCode": "USD",
    }  # fmt: skip


@pytest.fixture
def arm_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeArm]:
    """The stand-in, and the environment that leads to it."""
    with running() as fake:
        fake.subscriptions = [subscription()]
        fake.registered = dict.fromkeys(NEEDED, "Registered")
        fake.features = {"EncryptionAtHost": "Registered"}
        fake.usages = {"cores": (100, 0), "lowPriorityCores": (8, 0), T4.family: (8, 0), A100.family: (0, 0)}
        fake.skus = [sku(size.name, size.family) for size in SIZES.values()]
        fake.images = ["22.04.2026090801", "22.04.2026100701", "22.04.2025120901"]
        fake.prices = [
            price(T4.name, 0.526, spot=False),
            price(T4.name, 0.19, spot=True),
            price(A100.name, 3.673, spot=False),
        ]
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("SONARSTACK_ARM_URL", fake.address)
        monkeypatch.setenv("SONARSTACK_AZURE_PRICES_URL", f"{fake.address}/prices")
        monkeypatch.setenv("SONARSTACK_ADDRESS_SERVICE", f"{fake.address}/address")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        monkeypatch.setattr(account, "credential", lambda: Credential(fake.token))
        yield fake
