#!/usr/bin/env bash
# Drivers on virtual hardware (make hil): first here, on a PulseAudio null sink, ptys and RealSense's
# software device; then in an emulated machine with the kernel's own V4L2, ALSA, I2C and USB serial.
#
# The machine's root is this one's, read-only below a file system in memory, so the same .venv runs.
# It needs root on Debian or Ubuntu to install QEMU and to fetch a kernel package; where that cannot be
# had it says so. THYMOS_HIL_CACHE names the folder that keeps kernel and initrd.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
cache=${THYMOS_HIL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/thymos/hil}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
rows=$out/rows  # of the fault table; see below
export THYMOS_FAULT_TABLE=$rows

packages=(qemu-system-x86 busybox-static kmod cpio socat libportaudio2
    pulseaudio pulseaudio-utils libasound2-plugins alsa-utils v4l-utils)
modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay vivid snd-aloop i2c-stub i2c-dev
    ftdi_sio xhci_pci)

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
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"; } </dev/null ||
        cannot "packages could not be installed: ${missing[*]}" "see what apt-get said above"
}

# What is missing is said; only a machine that need not have it (THYMOS_HIL_OPTIONAL) goes on.
cannot() {
    echo "make hil: $1" >&2
    echo "next: $2" >&2
    if [ -n "${THYMOS_HIL_OPTIONAL:-}" ]; then exit 0; fi
    exit 2
}

# The newest stock kernel of this distribution, unpacked (never installed) into the cache.
fetch_kernel() {
    local meta package names
    . /etc/os-release
    case $ID in
        debian) meta=linux-image-amd64 ;;
        ubuntu) meta=linux-image-generic ;;
    esac
    package=$(apt-cache depends "$meta" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -1)
    version=${package#linux-image-}
    [ -f "$cache/$version/lib/modules/$version/modules.dep" ] && return
    names=("$package")
    [ "$ID" = ubuntu ] && names+=("linux-modules-$version" "linux-modules-extra-$version")
    rm -rf "$cache" && mkdir -p "$cache/deb"
    (cd "$cache/deb" && apt-get download -q "${names[@]}")
    for deb in "$cache"/deb/*.deb; do dpkg -x "$deb" "$cache/$version"; done
    rm -rf "$cache/deb"
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

run_guest() {
    mkdir -p "$out/share"
    cat >"$out/share/run.sh" <<RUN
cd "$here" && export HOME=/root THYMOS_HIL=guest PYTHONDONTWRITEBYTECODE=1 THYMOS_FAULT_TABLE=/mnt/rows
.venv/bin/python -m pytest -v -p no:cacheprovider tests/hil/guest ${1+$(printf "%q " "$@")} >/mnt/log 2>&1
echo \$? >/mnt/rc
RUN
    timeout 1500 qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 \
        -nographic -no-reboot -nodefaults -serial stdio \
        -kernel "$cache/$version/boot/vmlinuz-$version" -initrd "$out/initrd.gz" \
        -append "console=ttyS0 quiet panic=-1 rdinit=/init" \
        -virtfs local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap \
        -virtfs local,path="$out/share",mount_tag=out,security_model=none \
        -device qemu-xhci \
        -chardev socket,id=nose,path="$out/share/nose.sock",server=on,wait=off \
        -device usb-serial,chardev=nose,id=usb1 \
        -device virtio-serial-pci \
        -chardev socket,id=nose_far,path="$out/share/nose.sock",reconnect=1 \
        -device virtserialport,chardev=nose_far,name=nose \
        </dev/null >"$out/console" 2>&1 || true
    cat "$out/share/rows" >>"$rows" 2>/dev/null || true
    cat "$out/share/log" 2>/dev/null || { echo "the emulated machine did not run:"; tail -20 "$out/console"; }
    local rc
    rc=$(cat "$out/share/rc" 2>/dev/null || echo 1)
    [ "$rc" = 0 ] || [ "$rc" = 5 ]
}

# pytest ends with 5 where -k leaves nothing.
tests_here() {
    .venv/bin/python -m pytest -v -p no:cacheprovider "$@" || [ $? = 5 ]
}

install_packages
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
