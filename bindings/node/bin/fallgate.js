#!/usr/bin/env node
'use strict'
// The `fallgate` command: the same one as the standalone program.

const { runCommand } = require('../native.js')

process.exitCode = runCommand(['fallgate', ...process.argv.slice(2)])
