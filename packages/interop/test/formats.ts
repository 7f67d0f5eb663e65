import { binaryFormat } from '@eitherway/core'
import { decode, encode } from 'cborg'
import { Packr, Unpackr } from 'msgpackr'

export const cbor = binaryFormat({ name: 'CBOR', encode, decode })

// Records and references are msgpackr's own and no MessagePack: no other library writes them.
const packr = new Packr({ useRecords: false })
const unpackr = new Unpackr({ useRecords: false, structuredClone: false })
export const msgpack = binaryFormat({
  name: 'MessagePack',
  encode: (value) => packr.pack(value),
  decode: (bytes) => unpackr.unpack(bytes),
})
