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

# need_boto3: prints a Python that can import boto3, in a virtual environment where the system has none.
need_boto3() {
    if python3 -c 'import boto3' >/dev/null 2>&1; then command -v python3; return; fi
    local venv=$1
    if ! "$venv/bin/python" -c 'import boto3' >/dev/null 2>&1; then
        need_debian python3 python3-venv >&2
        python3 -m venv "$venv" >&2 || die "python3 -m venv $venv failed"
        "$venv/bin/pip" install --quiet boto3 >&2 || die "pip could not install boto3"
    fi
    printf '%s\n' "$venv/bin/python"
}
