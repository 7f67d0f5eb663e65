// What users can import and what the compiler knows of it, one text for each package: a change of the public surface
// shows in review. `npm run api` writes the texts anew, and `--check` says what differs.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve, sep } from 'node:path'
import { parseArgs } from 'node:util'
import ts from 'typescript'
import { root, runNode, script } from './run.mjs'
import { publicPackages } from './workspace.mjs'

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const folder = join(root, 'api')
const printer = ts.createPrinter({ removeComments: true })

await script(() => {
  if (!values.check && !runNode('scripts/build.mjs')) process.exit(1)
  const reports = reportAll()
  if (values.check) check(reports)
  else write(reports)
})

/** @param {ReadonlyMap<string, string>} reports */
function write(reports) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [file, text] of reports) writeFileSync(join(folder, file), text)
}

/** @param {ReadonlyMap<string, string>} reports */
function check(reports) {
  const files = new Set([...reports.keys(), ...readdirSync(folder)])
  const stale = [...files].filter((file) => (reports.get(file) ?? '') !== read(file))
  if (stale.length === 0) return
  for (const file of stale) console.error(`api/${file}\n${difference(read(file), reports.get(file) ?? '')}`)
  throw new Error(
    'the public surface differs from its reports: where that is meant, `npm run api` writes them anew; commit them with a changeset',
  )
}

/** @param {string} file */
function read(file) {
  return readdirSync(folder).includes(file) ? readFileSync(join(folder, file), 'utf8') : ''
}

/** The lines that one text has and the other has not. @param {string} before @param {string} after */
function difference(before, after) {
  const [old, now] = [before.split('\n'), after.split('\n')]
  const gone = old.filter((line) => !now.includes(line)).map((line) => `- ${line}`)
  return [...gone, ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`)].join('\n')
}

/** The text of each file. @returns {Map<string, string>} */
function reportAll() {
  const packages = publicPackages()
  const program = ts.createProgram(
    packages.flatMap(({ entries }) => entries.map(({ types }) => join(root, types))),
    {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      strict: true,
      types: ['node'],
      skipLibCheck: true,
    },
  )
  return new Map(
    packages.map(({ name, folder, entries }) => [
      `${folder}.md`,
      [
        `# ${name}\n`,
        'Written by `npm run api` from the types that are published. A change here is one for users.\n',
        ...entries.map((entry) => reportEntry(program, entry)),
      ].join('\n'),
    ]),
  )
}

/** @param {ts.Program} program @param {import('./workspace.mjs').Entry} entry */
function reportEntry(program, { name, types }) {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(join(root, types))
  const module = source && checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${name} has no types at ${types}: \`npm run build\` makes them`)
  const signatures = checker
    .getExportsOfModule(module)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((symbol) => signaturesOf(checker, symbol, packageOf(types)))
  return `## ${name}\n\n\`\`\`ts\n${signatures.join('\n')}\n\`\`\`\n`
}

/** @param {ts.TypeChecker} checker @param {ts.Symbol} symbol @param {string} home */
function signaturesOf(checker, symbol, home) {
  const found = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const alias = found.name === symbol.name ? '' : ` as ${symbol.name}`
  const declarations = found.declarations ?? []
  // The report of the other package has it.
  const origin = declarations[0] && packageOf(declarations[0].getSourceFile().fileName)
  if (origin !== home) return [`export { ${found.name}${alias} } from '${origin}'`]
  return [...(alias === '' ? [] : [`export { ${found.name}${alias} }`]), ...declarations.map(textOf)]
}

/** A declaration without what is said about it. @param {ts.Declaration} declaration */
function textOf(declaration) {
  // `const` stands two steps further out.
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
  return printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
}

/** The package of ours, or of others, that a file belongs to. @param {string} path */
function packageOf(path) {
  const [, ours] =
    resolve(root, path)
      .replaceAll(sep, '/')
      .match(/\/packages\/([^/]+)\/dist\//) ?? []
  if (ours !== undefined) return `@eitherway/${ours}`
  return path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1] ?? path
}
