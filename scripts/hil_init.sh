#!/bin/busybox sh
# First process of the emulated machine of `make hil`: the host's root below a file system in memory.
B=/bin/busybox
$B mkdir -p /sbin /usr/bin
$B --install -s /sbin
export PATH=/sbin:/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in virtio_pci virtio_console 9pnet_virtio 9p overlay; do modprobe $m; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 hostroot /ro
mount -t tmpfs t /rw; mkdir -p /rw/u /rw/w
mount -t overlay o -o lowerdir=/ro,upperdir=/rw/u,workdir=/rw/w /host
mount -t proc p /host/proc; mount -t sysfs s /host/sys; mount -t devtmpfs d /host/dev
mkdir -p /host/dev/pts /host/dev/shm
mount -t devpts d /host/dev/pts
for where in dev/shm run tmp; do mount -t tmpfs t /host/$where; done
rm -rf /host/lib/modules/*; mkdir -p /host/lib/modules; cp -a /lib/modules/* /host/lib/modules/
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 out /host/mnt
ip link set lo up; ifconfig lo 127.0.0.1 up
echo "thymos: up"
chroot /host /bin/bash /mnt/run.sh
sync; poweroff -f
