#!/usr/bin/python3
"""docker-compose.yml is what Compose takes it for, and the images have in them what they need.

There is no Docker where the tests run. So the file is read by docker-compose itself, which needs no engine for that,
and held against the schema it carries; and what the Dockerfile copies and installs is compared with what `make
install` puts there and with the libraries the two programs ask for.
"""

import glob
import json
import re

import jsonschema
import yaml

from tap import DOCKER, ROOT, check, done, forget, run, runs, scratch

compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
dockerfile = (DOCKER / "Dockerfile").read_text()
stages = dict(re.findall(r"(?ms)^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", dockerfile))

# the Python one brings the schema; the one in Go has it inside
schemas = glob.glob("/usr/lib/python3/dist-packages/compose/config/compose_spec.json")
if schemas:
    with open(schemas[0], encoding="utf-8") as f:
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}"
                  for e in jsonschema.Draft201909Validator(json.load(f)).iter_errors(compose)]
    check(not errors, "valid by the schema of Compose", *errors)
runs("docker-compose reads it", "docker-compose", "-f", ROOT / "docker-compose.yml", "config", "-q")

services = compose["services"]
check(set(services) >= {"edge", "persister", "redis", "kafka", "mysql", "prometheus", "grafana"}, "everything is there",
      *services)
for name, service in services.items():
    if "image" in service:
        check(re.search(r":v?\d+\.\d+", service["image"]), f"{name}: the image's version is said", service["image"])
    else:
        check(service["build"]["target"] in stages, f"{name}: the Dockerfile has its stage", service["build"])
    for port in service.get("ports", []):
        check(port.startswith("127.0.0.1:"), f"{name}: published on loopback only, {port}")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        there = (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]
        check(there, f"{name}: {source} is there")
    for other, when in (service.get("depends_on") or {}).items() if isinstance(service.get("depends_on"), dict) else ():
        healthy = when["condition"] != "service_healthy" or "healthcheck" in services[other]
        check(other in services and healthy, f"{name}: {other} can tell that it is healthy")

# what is copied from the build is what was installed there
folder = scratch()
try:
    modules = run("make", "-s", "-C", ROOT, "install", f"DESTDIR={folder}", "SYSCONFDIR=/etc", "PREFIX=/usr/local")
    check(modules[0] == 0, "make install DESTDIR=", modules[1])
    for stage, text in stages.items():
        for path in re.findall(r"--from=build /out(\S+)", text):
            check((folder / path.lstrip("/")).exists(), f"{stage}: {path} is installed")
finally:
    forget(folder)

# and the libraries it asks for are installed, too
for stage, program in (("edge", "build/ngx_http_ticket_module.so"), ("persister", "persister/ticket-persister")):
    wanted = set()
    needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", ROOT / program)[1])
    linked = dict(re.findall(r"^\s*(\S+) => (\S+)", run("ldd", ROOT / program)[1], re.M))
    for library in needed:
        if not library.startswith(("libc.", "libm.")):
            real = str((ROOT / linked[library]).resolve())
            wanted.add(run("dpkg-query", "-S", real.removeprefix("/usr") if run("dpkg-query", "-S", real)[0] else real)[1]
                       .split(":")[0])
    installed = set(re.search(r"(?s)install \\\n(.*?)\\\n", stages[stage])[1].split())
    check(wanted and wanted <= installed, f"{stage}: has its libraries", f"wanted {sorted(wanted)}",
          f"installed {sorted(installed)}")

status, said = run("bash", "-c", '. stack/packages.sh; echo "${PACKAGES_build[@]}"', cwd=ROOT)
check(status == 0 and "nginx-dev" in said and "stack/install build" in stages["build"], "the build stage's packages")
done()
