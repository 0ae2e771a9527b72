"""Price lists as the providers document them: read whole, or refused with the table left as it was."""

import json
from datetime import date
from pathlib import Path

import httpx
import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from infra.errors import PriceError
from infra.price_lists import aws, azure, lambda_cloud, runpod, vast
from infra.prices import read_prices, write_prices

TODAY = date(2026, 11, 23)
CONTRACT = Path(__file__).resolve().parents[4] / "shared" / "api" / "runpod-v2.openapi.json"


def client(*answers: object) -> httpx.Client:
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        one = left.pop(0)
        return one if isinstance(one, httpx.Response) else httpx.Response(200, json=one)

    return httpx.Client(transport=httpx.MockTransport(answer))


def item(size: str, usd: float, sku: str = "x", product: str = "Virtual Machines") -> dict:
    return {
        "armSkuName": size,
        "armRegionName": "eastus",
        "retailPrice": usd,
        "skuName": sku,
        "productName": product,
    }


def test_azure_is_read_to_its_last_page() -> None:
    first = {"Items": [item("Standard_NC4as_T4_v3", 0.5)], "NextPageLink": azure.ADDRESS + "?skip=1"}
    last = {
        "Items": [
            item("Standard_NC24ads_A100_v4", 1.1, "NC24ads Spot"),
            item("Standard_NC4as_T4_v3", 0.9, product="Virtual Machines Windows"),
            item("Standard_NC4as_T4_v3", 0.1, "NC4as Low Priority"),
        ],
        "NextPageLink": None,
    }
    prices = azure.fetch(client(first, last), TODAY)
    assert [(p.machine, p.market, p.price_usd_per_h) for p in prices] == [
        ("Standard_NC4as_T4_v3", "on_demand", 0.5),
        ("Standard_NC24ads_A100_v4", "spot", 1.1),
    ]
    assert [(p.gpu, p.gpu_count, p.vram_gib) for p in prices] == [("T4", 1, 16), ("A100 80GB PCIe", 1, 80)]


@pytest.mark.parametrize("answer", [{"Rows": []}, httpx.Response(500), httpx.Response(200, text="<html>")])
def test_azure_answers_otherwise(answer) -> None:
    with pytest.raises(PriceError, match="does not answer as documented"):
        azure.fetch(client(answer), TODAY)


GPU = {
    "id": "NVIDIA GeForce RTX 4090",
    "name": "RTX 4090",
    "memory": 24,
    "secure": True,
    "community": True,
    "price": {"secure": 0.7, "community": 0.4},
    "maxCount": {"secure": 8, "community": 4},
}


def test_runpod_is_read_by_market(monkeypatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "hush")
    other = {**GPU, "id": "NVIDIA Unheard Of"}
    prices = runpod.fetch(client({"gpus": [GPU, other]}), TODAY)
    assert [(p.gpu, p.market, p.price_usd_per_h) for p in prices] == [
        ("RTX 4090", "secure", 0.7),
        ("RTX 4090", "community", 0.4),
    ]


def test_runpod_without_or_with_a_wrong_key(monkeypatch) -> None:
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(PriceError, match="needs RUNPOD_API_KEY"):
        runpod.fetch(client(), TODAY)
    monkeypatch.setenv("RUNPOD_API_KEY", "hush")
    with pytest.raises(PriceError, match="set RUNPOD_API_KEY to a key of the console") as caught:
        runpod.fetch(client(httpx.Response(401)), TODAY)
    assert "hush" not in str(caught.value)


def test_what_we_read_of_runpod_is_in_its_contract(monkeypatch) -> None:
    if not CONTRACT.is_file():
        pytest.skip("Runpod's contract is not at hand")
    document = json.loads(CONTRACT.read_text())
    answer = document["paths"]["/v2/catalog/gpus"]["get"]["responses"]["200"]["content"]["application/json"]
    example = answer.get("example") or next(iter(answer["examples"].values()))["value"]
    registry = Registry().with_resource("urn:rp", Resource(contents=document, specification=DRAFT202012))
    reference = answer["schema"].get("$ref", "")
    if reference:
        schema = {"$ref": f"urn:rp{reference}"}
        jsonschema.Draft202012Validator(schema, registry=registry).validate(example)
    monkeypatch.setenv("RUNPOD_API_KEY", "hush")
    assert runpod.fetch(client(example), TODAY)


def test_lambda_lists_what_it_lists(monkeypatch) -> None:
    monkeypatch.setenv("LAMBDA_API_KEY", "hush")
    one = {"instance_type": {"name": "gpu_1x_a100_sxm4", "price_cents_per_hour": 199}}
    prices = lambda_cloud.fetch(client({"data": {"gpu_1x_a100_sxm4": one, "cpu_4x": one}}), TODAY)
    assert [(p.machine, p.gpu, p.price_usd_per_h) for p in prices] == [
        ("gpu_1x_a100_sxm4", "A100 40GB", 1.99)
    ]
    with pytest.raises(PriceError, match="does not accept LAMBDA_API_KEY") as caught:
        lambda_cloud.fetch(client(httpx.Response(403)), TODAY)
    assert "hush" not in str(caught.value)
    with pytest.raises(PriceError, match="does not answer as documented"):
        lambda_cloud.fetch(client({"data": {"gpu_1x_a100_sxm4": {}}}), TODAY)
    monkeypatch.delenv("LAMBDA_API_KEY")
    with pytest.raises(PriceError, match="needs LAMBDA_API_KEY"):
        lambda_cloud.fetch(client(), TODAY)


def market(offers: dict[tuple[str, str], list[dict]]) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        return httpx.Response(200, json={"offers": offers.get((asked["type"], asked["gpu_name"]["eq"]), [])})

    return httpx.Client(transport=httpx.MockTransport(answer))


def test_vast_is_the_median_of_machines_with_the_memory_that_is_meant() -> None:
    small, large = {"dph_total": 0.1, "gpu_ram": 40536}, {"dph_total": 1.5, "gpu_ram": 81920}
    asked = [{"dph_total": usd, "gpu_ram": 24564} for usd in (0.3, 0.9, 0.4)]
    bids = [{"min_bid": usd, "gpu_ram": 24564} for usd in (0.1, 0.2, 0.2)]
    offers = {
        ("on-demand", "RTX 4090"): asked,
        ("bid", "RTX 4090"): bids,
        ("on-demand", "A100 SXM4"): [small, small, small, large, large, large],
        ("on-demand", "L4"): [{"dph_total": 0.3, "gpu_ram": 23034}] * 2,
    }
    prices = vast.fetch(market(offers), TODAY)
    assert [(p.gpu, p.market, p.price_usd_per_h) for p in prices] == [
        ("RTX 4090", "on_demand", 0.4),
        ("A100 80GB SXM", "on_demand", 1.5),
        ("RTX 4090", "spot", 0.2),
    ]


def test_vast_answers_otherwise() -> None:
    with pytest.raises(PriceError, match="does not answer as documented"):
        vast.fetch(client({"success": False}), TODAY)


def aws_list(*rows: dict[str, str]) -> httpx.Response:
    names = ["SKU", "Instance Type", "PricePerUnit", *aws.WANTED]
    lines = ['"FormatVersion","v1.0"', ",".join(f'"{n}"' for n in names)]
    lines += [",".join(f'"{row.get(n, aws.WANTED.get(n, ""))}"' for n in names) for row in rows]
    return httpx.Response(200, text="\n".join(lines))


def test_aws_is_what_we_rent_of_each_type_and_nothing_else() -> None:
    one = {"Instance Type": "g6.xlarge", "PricePerUnit": "0.8048000000"}
    others = [{**one, name: "other", "PricePerUnit": "9"} for name in aws.WANTED]
    unknown = {**one, "Instance Type": "m7i.large"}
    prices = aws.fetch(client(aws_list(*others, one, unknown)), TODAY)
    assert [(p.machine, p.gpu, p.price_usd_per_h) for p in prices] == [("g6.xlarge", "L4", 0.8048)]


@pytest.mark.parametrize(
    "answer", [httpx.Response(403), httpx.Response(200, text="<html>"), httpx.Response(200, text='"SKU"\nx')]
)
def test_aws_answers_otherwise(answer) -> None:
    with pytest.raises(PriceError, match="AWS's price list does not answer as documented"):
        aws.fetch(client(answer), TODAY)


def test_a_table_is_replaced_whole_or_not_at_all(tmp_path) -> None:
    prices = azure.fetch(client({"Items": [item("Standard_NC4as_T4_v3", 0.5)]}), TODAY)
    write_prices("azure", prices, tmp_path)
    assert read_prices(tmp_path) == prices
    with pytest.raises(PriceError, match="left as it is"):
        write_prices("azure", [], tmp_path)
    assert read_prices(tmp_path) == prices
