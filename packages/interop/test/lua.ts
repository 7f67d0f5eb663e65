import { createRequire } from 'node:module'

/** What a command of Redis says. Text is bytes, a character for each. */
export type Reply = string | number | null | readonly Reply[]

// It brings no types: this is what is used of it.
interface State {
  readonly state: never
}
interface Fengari {
  readonly lua: Readonly<Record<string, (state: State, ...args: unknown[]) => number>> & {
    lua_tolstring(state: State, at: number): Uint8Array
    lua_pushlstring(state: State, text: Uint8Array, length: number): void
  }
  readonly lauxlib: Readonly<Record<string, (state: State, ...args: unknown[]) => number>> & {
    luaL_newstate(): State
  }
  readonly lualib: { luaL_openlibs(state: State): void }
}

const { lua, lauxlib, lualib } = createRequire(import.meta.url)('fengari') as Fengari
const registry = -1_000_000 - 1_000

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (one) => one.charCodeAt(0))
const textOf = (found: Uint8Array): string => Buffer.from(found).toString('latin1')

/**
 * Runs scripts as Redis does, each in one step.
 *
 * @param perform - does a command.
 */
export function createLua(
  perform: (args: readonly string[]) => Reply,
): (script: string, keys: readonly string[], args: readonly string[]) => Reply {
  const state = lauxlib.luaL_newstate()
  lualib.luaL_openlibs(state)
  const functions = new Map<string, number>()

  function pushText(text: string): void {
    lua.lua_pushlstring(state, bytes(text), text.length)
  }

  function push(reply: Reply): void {
    if (reply === null) lua['lua_pushboolean']?.(state, 0)
    else if (typeof reply === 'number') lua['lua_pushinteger']?.(state, reply)
    else if (typeof reply === 'string') pushText(reply)
    else {
      lua['lua_createtable']?.(state, reply.length, 0)
      for (const [at, one] of reply.entries()) {
        push(one)
        lua['lua_rawseti']?.(state, -2, at + 1)
      }
    }
  }

  function pushError(text: string): void {
    lua['lua_createtable']?.(state, 0, 1)
    pushText(text)
    lua['lua_setfield']?.(state, -2, bytes('err'))
  }

  /** The value at a place of the stack, as Redis makes an answer of it. */
  function pull(at: number): Reply {
    switch (lua['lua_type']?.(state, at)) {
      case 4:
        return textOf(lua.lua_tolstring(state, at))
      case 3:
        return Math.trunc(lua['lua_tonumber']?.(state, at) ?? 0)
      case 5: {
        lua['lua_getfield']?.(state, at, bytes('err'))
        const failure = pull(-1)
        lua['lua_settop']?.(state, -2)
        if (typeof failure === 'string') throw new Error(failure)
        const found: Reply[] = []
        for (let place = 1; ; place += 1) {
          lua['lua_rawgeti']?.(state, at, place)
          const isLast = lua['lua_type']?.(state, -1) === 0
          if (!isLast) found.push(pull(lua['lua_gettop']?.(state) ?? 0))
          lua['lua_settop']?.(state, -2)
          if (isLast) return found
        }
      }
      default:
        return null
    }
  }

  function define(name: string, run: () => number): void {
    lua['lua_pushcfunction']?.(state, run)
    lua['lua_setfield']?.(state, -2, bytes(name))
  }

  function argumentsNow(): string[] {
    const count = lua['lua_gettop']?.(state) ?? 0
    return Array.from({ length: count }, (_, at) => textOf(lua.lua_tolstring(state, at + 1)))
  }

  lua['lua_createtable']?.(state, 0, 3)
  define('call', () => {
    let reply: Reply
    try {
      reply = perform(argumentsNow())
    } catch (error) {
      pushText((error as Error).message)
      return lua['lua_error']?.(state) ?? 0
    }
    push(reply)
    return 1
  })
  define('pcall', () => {
    try {
      push(perform(argumentsNow()))
    } catch (error) {
      pushError((error as Error).message)
    }
    return 1
  })
  define('error_reply', () => {
    pushError(argumentsNow()[0] ?? '')
    return 1
  })
  lua['lua_setglobal']?.(state, bytes('redis'))

  return (script, keys, args) => {
    for (const [name, list] of [
      ['KEYS', keys],
      ['ARGV', args],
    ] as const) {
      push(list)
      lua['lua_setglobal']?.(state, bytes(name))
    }
    let known = functions.get(script)
    if (known === undefined) {
      const text = bytes(script)
      if (lauxlib['luaL_loadbuffer']?.(state, text, text.length, bytes('script')) !== 0)
        throw new Error(`ERR ${textOf(lua.lua_tolstring(state, -1))}`)
      known = lauxlib['luaL_ref']?.(state, registry) ?? 0
      functions.set(script, known)
    }
    lua['lua_rawgeti']?.(state, registry, known)
    if (lua['lua_pcall']?.(state, 0, 1, 0) !== 0) {
      const message = textOf(lua.lua_tolstring(state, -1))
      lua['lua_settop']?.(state, 0)
      throw new Error(`ERR ${message}`)
    }
    try {
      return pull(lua['lua_gettop']?.(state) ?? 0)
    } finally {
      lua['lua_settop']?.(state, 0)
    }
  }
}
