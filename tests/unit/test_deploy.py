"""What deploy/ says is held to Prefect as it is pinned, to the checkout and to itself; tests/flow runs the services."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from cli.main import app
from service.access.addresses import address, networks, within

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".md")
NOT_SETTINGS = {
    "PREFECT_SERVER_ENCRYPTION_KEY",  # read from the environment, prefect/server/utilities/encryption.py
    "PREFECT_REDIS_MESSAGING_URL",  # of prefect-redis, as the next one
    "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_URL",
}


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))
    return found


def lines_of(name: str) -> dict[str, str]:
    """An example of an env_file."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    pairs = (line.partition("=")[::2] for line in text.splitlines() if line and not line.startswith("#"))
    return dict(pairs)


def test_every_setting_of_prefect_exists_in_the_pinned_version() -> None:
    from prefect.settings.legacy import _get_settings_fields
    from prefect.settings.models.root import Settings

    known = set(_get_settings_fields(Settings))
    named = {
        word for path in FILES for word in re.findall(r"\bPREFECT_[A-Z_]+[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert {"PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_SERVER_API_AUTH_STRING"} <= named
    assert named - known == NOT_SETTINGS


def test_every_module_that_prefect_is_told_to_use_is_there() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    modules = sorted(set(re.findall(r"\bprefect_redis\.\w+", text)))
    assert len(modules) >= 4
    for module in modules:
        importlib.import_module(module)


def test_services_of_the_compose_file_refer_to_what_is_there() -> None:
    compose = read("compose.yaml")
    services, volumes = compose["services"], set(compose["volumes"])
    for name, service in services.items():
        assert set(service) <= {
            *(
                "image",
                "restart",
                "read_only",
                "tmpfs",
                "security_opt",
                "env_file",
                "environment",
                "command",
                "volumes",
            ),
            *("depends_on", "healthcheck", "deploy", "secrets", "ports", "profiles", "stop_grace_period", "networks"),
        }, name
        for other, wanted in service.get("depends_on", {}).items():
            assert other in services
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in services[other], other
        for file in service.get("env_file", []):
            assert (DEPLOY / f"{file}.example").is_file()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), volume
        assert all(isinstance(value, str) for value in service.get("environment", {}).values()), name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
    replicas = " ".join(f"{name}:4200" for name in services if name.startswith("api-"))
    assert f"reverse_proxy {replicas} {{" in (DEPLOY / "Caddyfile").read_text(encoding="utf-8")


def test_no_port_is_open_to_the_network_unasked() -> None:
    for name, service in read("compose.yaml")["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name


def test_examples_of_secrets_hold_none_and_the_real_files_are_ignored() -> None:
    server, worker = lines_of("server.env.example"), lines_of("worker.env.example")
    assert server["PREFECT_SERVER_API_AUTH_STRING"] == worker["PREFECT_API_AUTH_STRING"] == "usersync:CHANGE-ME"
    assert server["PREFECT_SERVER_ENCRYPTION_KEY"] == ""
    assert [worker[name] for name in ("AWS_SECRET_ACCESS_KEY", "OKTA_TOKEN", "BITBUCKET_PASSWORD")] == ["", "", ""]
    ignored = (DEPLOY / ".gitignore").read_text(encoding="utf-8").split()
    written = {str(one["file"]).removeprefix("./") for one in read("compose.yaml")["secrets"].values()}
    assert {"server.env", "worker.env"} | written == set(ignored)


def test_the_image_has_every_package_of_ours_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    packages = set(re.findall(r"^COPY (\w+) \1$", text, flags=re.MULTILINE))
    ours = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages == ours | {"syncs"}
    assert "--no-deps --require-hashes --only-binary :all: -r requirements.lock" in text
    assert re.search(r"^USER 10001$", text, flags=re.MULTILINE)
    let_in = set(
        re.findall(r"^!(.+)$", (DEPLOY / "Containerfile.dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    )
    copied = {word for line in re.findall(r"^COPY (.*) \S+$", text, flags=re.MULTILINE) for word in line.split()}
    assert let_in == copied


@pytest.mark.parametrize("extra", ["psycopg", "prefect-redis", "s3fs"])
def test_the_lock_that_the_image_installs_has_the_extras(extra: str) -> None:
    assert re.search(rf"^{extra}==", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_kubernetes_and_compose_tell_prefect_the_same() -> None:
    chart = read("helm/prefect-server.yaml")
    said = {
        one["name"]: one["value"].replace("//redis.example.internal:", "//redis:") for one in chart["server"]["env"]
    }
    composed = read("compose.yaml")["services"]["api-1"]["environment"]
    assert said == {name: composed[name] for name in said}
    assert chart["backgroundServices"]["env"] == chart["server"]["env"]


def test_the_job_of_kubernetes_uses_only_variables_that_it_declares() -> None:
    template = json.loads(read("helm/prefect-worker.yaml")["worker"]["config"]["baseJobTemplate"]["configuration"])
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])


def in_kubernetes() -> dict[str, dict[str, Any]]:
    """What the HTTP service is made of there, by kind."""
    text = (DEPLOY / "kubernetes" / "usersync-serve.yaml").read_text(encoding="utf-8")
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def container() -> dict[str, Any]:
    (found,) = in_kubernetes()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def served(command: list[str]) -> dict[str, Any]:
    """The options of `usersync serve`, read as the command line reads them."""
    program, name, *options = command
    assert (program, name) == ("usersync", "serve")
    group: Any = typer.main.get_command(app)
    found: dict[str, Any] = group.commands["serve"].make_context("serve", list(options)).params
    return found


def test_the_service_is_served_alike_by_compose_and_kubernetes_and_behind_its_proxy_alone() -> None:
    compose = read("compose.yaml")
    composed, there = served(compose["services"]["serve"]["command"]), served(container()["args"])
    assert {**composed, "proxy": None} == {**there, "proxy": None}
    assert (composed["host"], composed["port"], composed["allow"]) == ("0.0.0.0", 8642, ())
    front = compose["services"]["front"]["networks"]["default"]["ipv4_address"]
    assert list(composed["proxy"]) == ["127.0.0.1", front]
    ((network,),) = (one["config"] for one in (compose["networks"]["default"]["ipam"],))
    (chosen,) = networks([network["ip_range"]], what="ip_range")
    assert within(address(front), networks([network["subnet"]], what="subnet"))
    assert not within(address(front), (chosen,)), "another container could be given the address"
    assert networks(there["proxy"], what="--proxy")


def test_the_proxy_before_the_service_speaks_tls_and_knows_it() -> None:
    compose = read("compose.yaml")["services"]
    text = (DEPLOY / "Caddyfile.serve").read_text(encoding="utf-8")
    assert "reverse_proxy serve:8642" in text
    (tls,) = re.findall(r"^\ttls (.+)$", text, flags=re.MULTILINE)
    assert tls.split() == [f"/run/secrets/{name}" for name in compose["front"]["secrets"]]
    (port,) = compose["front"]["ports"]
    assert f"\n:{port.rpartition(':')[2]} {{" in text


def test_the_parts_of_the_service_in_kubernetes_find_each_other() -> None:
    found = in_kubernetes()
    assert sorted(found) == ["Deployment", "Ingress", "NetworkPolicy", "Service"]
    pod = found["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    (port,), (reached,) = container()["ports"], found["Service"]["spec"]["ports"]
    assert (port["name"], port["containerPort"]) == (reached["targetPort"], 8642)
    (rule,) = found["Ingress"]["spec"]["rules"]
    assert [rule["host"]] == found["Ingress"]["spec"]["tls"][0]["hosts"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend == {"name": found["Service"]["metadata"]["name"], "port": {"name": reached["name"]}}
    volumes = {one["name"] for one in pod["spec"]["volumes"]}
    assert {one["name"] for one in container()["volumeMounts"]} == volumes
    assert pod["spec"]["securityContext"]["runAsUser"] == 10001
    read_me = (DEPLOY / "README.md").read_text(encoding="utf-8")
    for needed in ("usersync-worker", "usersync-runs", "usersync-syncs", "usersync-tls"):
        assert f"`{needed}`" in read_me


def test_the_service_asks_whether_it_is_well_as_it_is_asked_by_compose() -> None:
    asked = read("compose.yaml")["services"]["serve"]["healthcheck"]["test"][1:]
    assert {tuple(container()[f"{one}Probe"]["exec"]["command"]) for one in ("startup", "readiness", "liveness")} == {
        tuple(asked)
    }
