// The name of the addon's file on this machine, as the loader native.js looks for it.

/** @returns {string} */
export function binaryName() {
  const { platform, arch } = process
  const suffix = { linux: isMusl() ? '-musl' : '-gnu', win32: '-msvc' }[platform] ?? ''
  return `fallgate.${platform}-${arch}${suffix}.node`
}

function isMusl() {
  return process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
}
