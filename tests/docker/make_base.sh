#!/bin/sh
# Makes the base image that the Docker tests use where no registry is in reach: Debian with Python, from Debian's packages.
# Needs root, debootstrap and a Docker daemon.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$folder" >/dev/null
# The certificates of this machine, for networks that have their own.
cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
tar -C "$folder" -c . | docker import \
    -c 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    - sonarstack-test-base:bookworm
