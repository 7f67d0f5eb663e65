/** @throws Error when the page has no such element: its script and its markup are not of one kind. */
export function find<T extends Element>(root: ParentNode, selector: string, type: new () => T): T {
  const element = root.querySelector(selector)
  if (element instanceof type) return element
  throw new Error(`the page has no ${type.name} at ${selector}`)
}
