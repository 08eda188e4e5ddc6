#!/usr/bin/env bash
# Installs what needs a system package: Java for Spark, Chromium and a CJK font for browser tests, PostgreSQL for its tests.
# Further programs may be named (wrk for `make bench-web`). Where it can't (not root, no apt) it says so, and the tests that need the package skip loudly.
set -uo pipefail

wanted=()
command -v java >/dev/null || wanted+=(openjdk-17-jre-headless)
command -v chromium >/dev/null || wanted+=(chromium)
fc-list 2>/dev/null | grep -qi 'noto.*cjk' || wanted+=(fonts-noto-cjk fontconfig)
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || wanted+=(postgresql)
for program in "$@"; do command -v "$program" >/dev/null || wanted+=("$program"); done
[ ${#wanted[@]} -eq 0 ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  printf 'SKIPPED, please install by hand: %s\n' "${wanted[*]}" >&2
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
