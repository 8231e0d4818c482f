#!/usr/bin/env bash
# Drivers on virtual hardware (make hil): first here, on a PulseAudio null sink, ptys and RealSense's
# software device; then in an emulated machine with the kernel's own V4L2, ALSA, I2C and USB serial.
#
# The machine's root is this one's, read-only below a file system in memory, so the same .venv runs.
# It needs root on Debian or Ubuntu to install QEMU and to fetch a kernel package; where that cannot be
# had it says so. Variables:
#   THYMOS_HIL_CACHE      folder that keeps the kernel
#   THYMOS_HIL_OPTIONAL   what this machine lacks is told and is no failure; the page stays as it is
#   THYMOS_HIL_LIMIT_S    how long each part may take (900)
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
cache=${THYMOS_HIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/thymos/hil}
limit=${THYMOS_HIL_LIMIT_S:-900}
out=$(mktemp -d)
child=
# `timeout` hands the signal on to what it started.
trap '[ -z "$child" ] || { kill "$child"; wait "$child"; } 2>/dev/null || true; rm -rf "$out"' EXIT
trap 'exit 130' INT TERM
rows=$out/rows  # of the fault table; see below
export THYMOS_FAULT_TABLE=$rows

packages=(qemu-system-x86 busybox-static kmod cpio socat libportaudio2
    pulseaudio pulseaudio-utils libasound2-plugins alsa-utils v4l-utils)
modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay vivid snd-aloop i2c-stub i2c-dev
    ftdi_sio xhci_pci)
# A network that is not there is told within minutes.
apt=(timeout -k 10 300 apt-get -q -o Acquire::Retries=1 -o Acquire::http::Timeout=20
    -o Acquire::https::Timeout=20)

install_packages() {
    local missing=()
    for name in "${packages[@]}"; do
        dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name")
    done
    [ ${#missing[@]} = 0 ] && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        cannot "these packages are missing: ${missing[*]}" \
            "sudo apt-get install --no-install-recommends ${missing[*]}"
    fi
    "${apt[@]}" update </dev/null || true # a source that has nothing to do with us may be away
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" \
        </dev/null || cannot "packages could not be installed: ${missing[*]}" "see what apt-get said above"
}

# What is missing is said; only a machine that need not have it (THYMOS_HIL_OPTIONAL) goes on.
cannot() {
    if [ -n "${THYMOS_HIL_OPTIONAL:-}" ]; then
        echo "make hil: skipped here: $1"
        exit 0
    fi
    echo "make hil: $1" >&2
    echo "next: $2" >&2
    exit 2
}

# The newest stock kernel of this distribution, unpacked (never installed) into the cache.
fetch_kernel() {
    local meta="" package names
    . /etc/os-release
    case $ID in
        debian) meta=linux-image-amd64 ;;
        ubuntu) meta=linux-image-generic ;;
        *) cannot "no kernel package is known for $ID" "use Debian or Ubuntu" ;;
    esac
    package=$(apt-cache depends "$meta" 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    [ -n "$package" ] || cannot "apt knows no $meta" "apt-get update"
    version=${package#linux-image-}
    [ -f "$cache/$version/lib/modules/$version/modules.dep" ] && return
    names=("$package")
    [ "$ID" = ubuntu ] && names+=("linux-modules-$version" "linux-modules-extra-$version")
    mkdir -p "$out/deb"
    (cd "$out/deb" && "${apt[@]}" download "${names[@]}" </dev/null) ||
        cannot "the kernel package $package could not be fetched" "see what apt-get said above"
    rm -rf "$cache" && mkdir -p "$cache"
    for deb in "$out"/deb/*.deb; do dpkg -x "$deb" "$cache/$version"; done
    rm -rf "$out/deb"
    depmod -b "$cache/$version" "$version"
}

make_initrd() {
    local root=$out/initrd
    mkdir -p "$root"/{bin,proc,sys,dev,ro,rw,host}
    cp "$(command -v busybox)" "$root/bin/busybox"
    install -m 755 scripts/hil_init.sh "$root/init"
    for name in "${modules[@]}"; do
        modprobe -d "$cache/$version" -S "$version" --show-depends "$name" || true
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
        mkdir -p "$root$(dirname "${file#"$cache/$version"}")"
        cp "$file" "$root${file#"$cache/$version"}"
    done
    cp "$cache/$version/lib/modules/$version"/modules.{order,builtin,builtin.modinfo} "$root/lib/modules/$version/"
    depmod -b "$root" "$version"
    (cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$out/initrd.gz"
}

# In the background, so that a signal to this script is heard at once and ends it.
bounded() {
    local rc=0
    timeout -k 10 "$limit" "$@" &
    child=$!
    wait "$child" || rc=$?
    child=
    return "$rc"
}

# The far end of the USB serial line and QEMU's own monitor (which pulls and plugs devices) are
# ports inside the machine: each is the client of a socket that the same QEMU serves.
run_guest() {
    mkdir -p "$out/share"
    cat >"$out/share/run.sh" <<RUN
cd "$here" && export HOME=/root THYMOS_HIL=guest PYTHONDONTWRITEBYTECODE=1 THYMOS_FAULT_TABLE=/mnt/rows
scripts/hil_pytest.sh /tmp/cache tests/hil/guest ${1+$(printf "%q " "$@")} >/mnt/log 2>&1
echo \$? >/mnt/rc
RUN
    local rc=0 socket=$out/share
    bounded qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
        -nographic -no-reboot -nodefaults -serial stdio \
        -kernel "$cache/$version/boot/vmlinuz-$version" -initrd "$out/initrd.gz" \
        -append "console=ttyS0 quiet panic=-1 rdinit=/init" \
        -virtfs local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap \
        -virtfs local,path="$out/share",mount_tag=out,security_model=none \
        -device virtio-serial-pci \
        -chardev socket,id=monitor,path="$socket/monitor.sock",server=on,wait=off \
        -mon chardev=monitor,mode=readline \
        -chardev socket,id=monitor_far,path="$socket/monitor.sock",reconnect=1 \
        -device virtserialport,chardev=monitor_far,name=monitor \
        -device qemu-xhci,id=xhci \
        -chardev socket,id=nose,path="$socket/nose.sock",server=on,wait=off \
        -device usb-serial,chardev=nose,id=usb1,serial=NOSE42,bus=xhci.0,port=1 \
        -chardev socket,id=nose_far,path="$socket/nose.sock",reconnect=1 \
        -device virtserialport,chardev=nose_far,name=nose \
        </dev/null >"$out/console" 2>&1 || rc=$?
    cat "$out/share/rows" >>"$rows" 2>/dev/null || true
    if ! cat "$out/share/log" 2>/dev/null; then
        tail -20 "$out/console"
        grep -q "thymos: up" "$out/console" ||
            cannot "the emulated machine did not start (QEMU ended with $rc)" "see what it said above"
    fi
    if [ "$rc" = 124 ]; then
        echo "make hil: the emulated machine did not end within $limit s: a test hangs (see above)," \
            "or this machine is too slow (THYMOS_HIL_LIMIT_S=1800 make hil)" >&2
    fi
    return "$(cat "$out/share/rc" 2>/dev/null || echo 1)"
}

# Whatever the tests start ends with them, also when they take too long.
tests_here() {
    local rc=0
    bounded scripts/hil_pytest.sh "$out/cache" "$@" || rc=$?
    [ "$rc" != 124 ] || echo "make hil: the tests did not end within $limit s" >&2
    return "$rc"
}

install_packages
# GPL-3, so never part of an installation unless asked for; here what it counts is compared with what
# the emulated camera drops.
.venv/bin/python -m pip install -q --no-deps linuxpy==0.25.0 </dev/null ||
    echo "linuxpy could not be installed: its tests are skipped"
echo "== here: PulseAudio"
THYMOS_HIL=host tests_here tests/hil/host "$@"
# A machine of the CI has run these already, and the page stays as it is there.
table=
if [ $# = 0 ] && [ -z "${THYMOS_HIL_OPTIONAL:-}" ]; then table=docs/reliability.md; fi
if [ -n "$table" ]; then
    echo "== here: the rows of the fault table that need no device"
    tests_here tests/drivers tests/record/test_faults.py
fi
if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null; then
    echo "== no emulated machine: it needs the kernel package of Debian or Ubuntu for x86-64"
    exit 0
fi
echo "== in an emulated machine: V4L2, ALSA, I2C, USB serial"
fetch_kernel
make_initrd
run_guest "$@"
if [ -n "$table" ]; then .venv/bin/python scripts/fault_table.py "$rows" "$table"; fi
