// Fetches the guests that the boot tests run, from Debian's archive, and builds media from them.
//   node scripts/guests.mjs [--force]
// Needs root for `dpkg --add-architecture i386`; everything else stays in .cache/guests. Prints what it does and
// writes .cache/guests/guests.json, which names each output and the versions it was made of.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = path.join(root, '.cache', 'guests');
const packages = path.join(cache, 'packages');
const unpacked = path.join(cache, 'unpacked');
const force = process.argv.includes('--force');

/** Raised when the recipes below change: older outputs are rebuilt. */
const recipe = 5;

const say = (text) => console.log(`guests: ${text}`);

function run(command, args, options = {}) {
  try {
    return execFileSync(command, args, { stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1 << 28, ...options }).toString();
  } catch (error) {
    const detail = error.stderr?.toString().trim() || error.message;
    throw new Error(`${command} ${args.slice(0, 4).join(' ')}: ${detail}`);
  }
}

const has = (tool) => {
  try {
    run('which', [tool]);
    return true;
  } catch {
    return false;
  }
};

/** The versioned kernel package that linux-image-686 or linux-image-amd64 depends on. */
function kernelPackage(flavour, architecture) {
  const name = `linux-image-${flavour}:${architecture}`;
  const line = run('apt-cache', ['depends', name]).split('\n').find((text) => /Depends: linux-image-/.test(text));
  if (!line) throw new Error(`${name} is not in the package lists`);
  return `${line.split(':')[1].trim().replace(/:.*$/, '')}:${architecture}`;
}

function prepareApt() {
  if (!run('dpkg', ['--print-foreign-architectures']).split('\n').includes('i386')) {
    say('adding the i386 architecture');
    run('dpkg', ['--add-architecture', 'i386']);
    run('apt-get', ['update']);
  }
  try {
    kernelPackage('686', 'i386');
    kernelPackage('amd64', 'amd64');
  } catch {
    say('updating package lists');
    run('apt-get', ['update']);
  }
  const missing = [['nasm', 'nasm'], ['xorriso', 'xorriso'], ['mcopy', 'mtools'], ['cpio', 'cpio'], ['iasl', 'acpica-tools'],
    ['debootstrap', 'debootstrap']].filter(([tool]) => !has(tool));
  if (missing.length > 0) {
    say(`installing ${missing.map(([, name]) => name).join(' ')}`);
    run('apt-get', ['install', '-y', '--no-install-recommends', ...missing.map(([, name]) => name)], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  }
}

/** Downloads a package unless it is there, unpacks it, and gives its folder. */
function fetch(name) {
  const [plain, architecture = ''] = name.split(':');
  mkdirSync(packages, { recursive: true });
  const find = () => readdirSync(packages).find((file) => file.startsWith(`${plain}_`) && file.endsWith(architecture === '' ? '.deb' : `_${architecture}.deb`));
  if (!find()) {
    say(`downloading ${name}`);
    run('apt-get', ['download', name], { cwd: packages });
  }
  const file = find();
  const folder = path.join(unpacked, file.replace(/\.deb$/, ''));
  if (!existsSync(folder)) {
    say(`unpacking ${file}`);
    mkdirSync(`${folder}.part`, { recursive: true });
    run('dpkg-deb', ['-x', path.join(packages, file), `${folder}.part`]);
    run('mv', [`${folder}.part`, folder]);
  }
  return { folder, file };
}

function findFile(folder, pattern) {
  const found = readdirSync(folder, { recursive: true }).map(String).filter((name) => pattern.test(name)).sort();
  if (found.length === 0) throw new Error(`no file like ${pattern} in ${path.basename(folder)}`);
  return path.join(folder, found[0]);
}

const init = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /etc
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox --install -s /bin
export PATH=/bin HOME=/ TERM=linux PS1='trapeze# '
echo 1 > /proc/sys/kernel/printk
banner() {
  echo
  echo "TRAPEZE-GUEST-READY $(uname -r) $(uname -m)"
}
# One shell on the screen, one on the serial port, each with its own terminal.
while true; do banner; setsid -c sh < /dev/tty1 > /dev/tty1 2>&1; done > /dev/tty1 2>&1 &
if [ -c /dev/ttyS0 ]; then
  while true; do banner; setsid -c sh < /dev/ttyS0 > /dev/ttyS0 2>&1; done > /dev/ttyS0 2>&1 &
fi
while true; do sleep 1000; done
`;

function buildInitramfs(busybox, output) {
  const tree = path.join(cache, path.basename(output, '.cpio.gz'));
  rmSync(tree, { recursive: true, force: true });
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'tmp', 'etc']) mkdirSync(path.join(tree, folder), { recursive: true });
  copyFileSync(busybox, path.join(tree, 'bin', 'busybox'));
  run('chmod', ['755', path.join(tree, 'bin', 'busybox')]);
  run('ln', ['-sf', 'busybox', path.join(tree, 'bin', 'sh')]);
  run('mknod', [path.join(tree, 'dev', 'console'), 'c', '5', '1']);
  writeFileSync(path.join(tree, 'init'), init, { mode: 0o755 });
  run('sh', ['-c', `find . | sort | cpio -o -H newc -R 0:0 --reproducible 2>/dev/null | gzip -9n > "${output}"`], { cwd: tree });
}

const kernelArguments = 'console=tty0 console=ttyS0 quiet';

const userlandPackages = ['perl', 'python3-minimal', 'gcc', 'libc6-dev', 'openssl', 'busybox-static'];
const userlandInit = `#!/bin/sh
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root TERM=linux LC_ALL=C PS1='trapeze# '
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
echo 1 > /proc/sys/kernel/printk
echo "TRAPEZE-GUEST-READY $(uname -r) $(uname -m)"
while true; do busybox setsid -c sh < /dev/ttyS0 > /dev/ttyS0 2>&1; done
`;

/** A minimal Debian with compilers and interpreters, as an initramfs: a glibc userland of shared libraries. */
function buildUserland(architecture, output) {
  const tree = path.join(cache, `userland-${architecture}`);
  if (!existsSync(path.join(tree, 'init'))) {
    say(`debootstrap: Debian for ${architecture}`);
    rmSync(tree, { recursive: true, force: true });
    run('debootstrap', ['--variant=minbase', `--arch=${architecture}`, `--include=${userlandPackages.join(',')}`, 'bookworm', tree]);
    for (const folder of ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'var/cache/apt', 'var/lib/apt']) {
      rmSync(path.join(tree, folder), { recursive: true, force: true });
    }
    writeFileSync(path.join(tree, 'init'), userlandInit, { mode: 0o755 });
  }
  run('sh', ['-c', `find . -xdev | sort | cpio -o -H newc -R 0:0 --reproducible 2>/dev/null > "${output}.part" && mv "${output}.part" "${output}"`], {
    cwd: tree,
  });
}

function buildIsolinuxIso(files, output) {
  const tree = path.join(cache, 'iso-isolinux');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(path.join(tree, 'isolinux'), { recursive: true });
  copyFileSync(files.kernel, path.join(tree, 'vmlinuz'));
  copyFileSync(files.initramfs, path.join(tree, 'initrd.gz'));
  copyFileSync(files.isolinux, path.join(tree, 'isolinux', 'isolinux.bin'));
  copyFileSync(files.ldlinux, path.join(tree, 'isolinux', 'ldlinux.c32'));
  const configuration = [
    'SERIAL 0 115200', 'DEFAULT linux', 'PROMPT 1', 'TIMEOUT 10', 'SAY Trapeze test guest: isolinux',
    'LABEL linux', '  KERNEL /vmlinuz', `  APPEND initrd=/initrd.gz ${kernelArguments}`, '',
  ];
  writeFileSync(path.join(tree, 'isolinux', 'isolinux.cfg'), configuration.join('\n'));
  run('xorriso', ['-as', 'mkisofs', '-quiet', '-V', 'TRAPEZE', '-J', '-R', '-o', output, '-b', 'isolinux/isolinux.bin',
    '-c', 'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', tree]);
}

const grubConfiguration = [
  'set timeout=1', 'set default=0', 'menuentry "Trapeze test guest: GRUB" {',
  `  linux /vmlinuz ${kernelArguments}`, '  initrd /initrd.gz', '}', '',
].join('\n');

function buildGrubIso(files, output) {
  const tree = path.join(cache, `iso-${path.basename(output, '.iso')}`);
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(path.join(tree, 'boot', 'grub'), { recursive: true });
  copyFileSync(files.kernel, path.join(tree, 'vmlinuz'));
  copyFileSync(files.initramfs, path.join(tree, 'initrd.gz'));
  writeFileSync(path.join(tree, 'boot', 'grub', 'grub.cfg'), grubConfiguration);
  const core = path.join(cache, 'grub-cd-core.img');
  run(files.grubMkimage, ['-d', files.grubModules, '-O', 'i386-pc', '-o', core, '-p', '/boot/grub',
    'biosdisk', 'iso9660', 'normal', 'linux', 'configfile', 'search', 'echo', 'test', 'minicmd', 'all_video']);
  const image = path.join(tree, 'boot', 'grub', 'eltorito.img');
  writeFileSync(image, Buffer.concat([readFileSync(path.join(files.grubModules, 'cdboot.img')), readFileSync(core)]));
  run('xorriso', ['-as', 'mkisofs', '-quiet', '-V', 'TRAPEZE_GRUB', '-R', '-o', output, '-b', 'boot/grub/eltorito.img',
    '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table', '--grub2-boot-info', tree]);
}

/** MBR, core image in the gap before sector 2048, one active FAT16 partition. */
function buildGrubDisk(files, output) {
  const sectors = 63 * 16 * 200;
  const start = 2048;
  const disk = Buffer.alloc(sectors * 512);
  const core = path.join(cache, 'grub-disk-core.img');
  run(files.grubMkimage, ['-d', files.grubModules, '-O', 'i386-pc', '-o', core, '-p', '(hd0,msdos1)/boot/grub',
    'biosdisk', 'part_msdos', 'fat', 'normal', 'linux', 'configfile', 'echo', 'test', 'minicmd']);
  const coreBytes = readFileSync(core);
  if (coreBytes.length > (start - 1) * 512) throw new Error('the GRUB core image does not fit before the partition');
  const boot = readFileSync(path.join(files.grubModules, 'boot.img'));
  boot.copy(disk, 0, 0, 440);
  // What grub-bios-setup writes: kernel sector (5Ch), boot drive from the BIOS (64h), no floppy workaround (66h).
  disk.writeBigUInt64LE(1n, 0x5c);
  disk[0x64] = 0xff;
  disk.set([0x90, 0x90], 0x66);
  coreBytes.copy(disk, 512);
  // The last block list entry of the core's first sector: the rest follows at sector 2, loaded at 8200h.
  disk.writeBigUInt64LE(2n, 512 + 0x1f4);
  disk.writeUInt16LE(Math.ceil(coreBytes.length / 512) - 1, 512 + 0x1fc);
  disk.writeUInt16LE(0x820, 512 + 0x1fe);
  disk.set([0x80, 0x20, 0x21, 0x00, 0x0e, 0x0f, 0x3f, 0xc7], 446);
  disk.writeUInt32LE(start, 454);
  disk.writeUInt32LE(sectors - start, 458);
  disk.set([0x55, 0xaa], 510);
  writeFileSync(`${output}.part`, disk);
  const target = `${output}.part@@${start * 512}`;
  const configuration = path.join(cache, 'grub.cfg');
  writeFileSync(configuration, grubConfiguration);
  run('mformat', ['-i', target, '-T', String(sectors - start), '-h', '16', '-s', '63', '-H', String(start), '-v', 'TRAPEZE', '::']);
  run('mmd', ['-i', target, '::/boot', '::/boot/grub']);
  run('mcopy', ['-i', target, files.kernel, '::/vmlinuz']);
  run('mcopy', ['-i', target, files.initramfs, '::/initrd.gz']);
  run('mcopy', ['-i', target, configuration, '::/boot/grub/grub.cfg']);
  run('mv', [`${output}.part`, output]);
}

function main() {
  mkdirSync(cache, { recursive: true });
  const listing = path.join(cache, 'guests.json');
  if (!force && existsSync(listing)) {
    const known = JSON.parse(readFileSync(listing, 'utf8'));
    if (known.recipe === recipe && Object.values(known.files).every((file) => existsSync(path.join(cache, file)))) {
      say('everything is there');
      return;
    }
  }
  prepareApt();
  const linux = fetch(kernelPackage('686', 'i386'));
  const linux64 = fetch(kernelPackage('amd64', 'amd64'));
  const busybox = fetch('busybox-static:i386');
  const busybox64 = fetch('busybox-static:amd64');
  const installer = fetch('debian-installer-12-netboot-i386');
  const installer64 = fetch('debian-installer-12-netboot-amd64');
  const memtest = fetch('memtest86+');
  const isolinux = fetch('isolinux');
  const syslinux = fetch('syslinux-common');
  const grub = fetch('grub-pc-bin');
  const grubCommon = fetch('grub-common');
  const at = (name) => path.join(cache, name);

  copyFileSync(findFile(linux.folder, /boot\/vmlinuz-[^/]*$/), at('vmlinuz'));
  copyFileSync(findFile(linux64.folder, /boot\/vmlinuz-[^/]*$/), at('vmlinuz64'));
  const text = /text\/debian-installer\//;
  const pick = ({ folder }, name) => {
    const all = readdirSync(folder, { recursive: true }).map(String).filter((file) => file.endsWith(`/${name}`)).sort();
    const best = all.find((file) => text.test(file)) ?? all.find((file) => !file.includes('gtk'));
    if (!best) throw new Error(`the installer package has no ${name}`);
    return path.join(folder, best);
  };
  for (const [source, suffix] of [[installer, ''], [installer64, '64']]) {
    copyFileSync(pick(source, 'linux'), at(`installer-vmlinuz${suffix}`));
    copyFileSync(pick(source, 'initrd.gz'), at(`installer-initrd${suffix}.gz`));
  }
  copyFileSync(findFile(memtest.folder, /memtest86\+?x64\.bin$/), at('memtest64.bin'));
  copyFileSync(findFile(memtest.folder, /memtest86\+?(ia)?32\.bin$/), at('memtest32.bin'));
  say('building initramfs.cpio.gz');
  buildInitramfs(findFile(busybox.folder, /bin\/busybox$/), at('initramfs.cpio.gz'));
  say('building initramfs64.cpio.gz');
  buildInitramfs(findFile(busybox64.folder, /bin\/busybox$/), at('initramfs64.cpio.gz'));

  const mkimage = findFile(grubCommon.folder, /usr\/bin\/grub-mkimage$/);
  run('chmod', ['755', mkimage]);
  const files = {
    kernel: at('vmlinuz'),
    initramfs: at('initramfs.cpio.gz'),
    isolinux: findFile(isolinux.folder, /isolinux\.bin$/),
    ldlinux: findFile(syslinux.folder, /modules\/bios\/ldlinux\.c32$/),
    grubMkimage: mkimage,
    grubModules: path.dirname(findFile(grub.folder, /i386-pc\/boot\.img$/)),
  };
  say('building linux-isolinux.iso');
  buildIsolinuxIso(files, at('linux-isolinux.iso'));
  say('building linux-grub.iso');
  buildGrubIso(files, at('linux-grub.iso'));
  say('building linux64-grub.iso');
  buildGrubIso({ ...files, kernel: at('vmlinuz64'), initramfs: at('initramfs64.cpio.gz') }, at('linux64-grub.iso'));
  say('building linux-grub.img');
  buildGrubDisk(files, at('linux-grub.img'));

  for (const architecture of ['amd64', 'i386']) {
    say(`building userland-${architecture}.cpio`);
    buildUserland(architecture, at(`userland-${architecture}.cpio`));
  }
  const outputs = {
    kernel: 'vmlinuz',
    initramfs: 'initramfs.cpio.gz',
    isolinuxIso: 'linux-isolinux.iso',
    grubIso: 'linux-grub.iso',
    grubDisk: 'linux-grub.img',
    installerKernel: 'installer-vmlinuz',
    installerInitrd: 'installer-initrd.gz',
    memtest: 'memtest32.bin',
    kernel64: 'vmlinuz64',
    initramfs64: 'initramfs64.cpio.gz',
    grubIso64: 'linux64-grub.iso',
    installerKernel64: 'installer-vmlinuz64',
    installerInitrd64: 'installer-initrd64.gz',
    memtest64: 'memtest64.bin',
    userland64: 'userland-amd64.cpio',
    userland32: 'userland-i386.cpio',
  };
  const sources = [linux, linux64, busybox, busybox64, installer, installer64, memtest, isolinux, syslinux, grub, grubCommon].map(({ file }) => file);
  const guide = { banner: 'TRAPEZE-GUEST-READY', prompt: 'trapeze# ', commandLine: kernelArguments };
  writeFileSync(listing, `${JSON.stringify({ recipe, files: outputs, ...guide, sources }, null, 2)}\n`);
  for (const [name, file] of Object.entries(outputs)) say(`${name}: ${file} (${statSync(at(file)).size} bytes)`);
}

try {
  main();
} catch (error) {
  console.error(`guests: ${error.message}`);
  process.exitCode = 1;
}
