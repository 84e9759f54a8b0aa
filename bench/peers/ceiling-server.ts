import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { createCeiling } from './ceiling.ts'

// This process is the ceiling. Arguments: port, file with the recorded responses.
const [, , port, file] = argv
createCeiling(JSON.parse(readFileSync(file ?? '', 'utf8'))).listen(Number(port), '127.0.0.1')
