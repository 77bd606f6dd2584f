// Plain JavaScript, so that an old Node can say this instead of stumbling over the types in everything else.
const wanted = 24
const major = Number(process.versions.node.split('.')[0])
if (major < wanted) {
  console.error(`Darkroom runs on Node ${wanted} or newer, this is ${process.versions.node} (${process.execPath}).
On Linux (x64, arm64) npm installs Node ${wanted} with the project: run \`npm ci\` without --omit=optional, then \`npm run …\`.
Elsewhere install it, for example with \`nvm install\` in this folder.`)
  process.exit(1)
}
