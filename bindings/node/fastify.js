'use strict'
// placeholder
