// SPDX-License-Identifier: Apache-2.0
// Objects, strings and buffers outside of V8's heap, made and dropped flat out, here and in two workers.
'use strict';
const fs = require('fs');
const {Worker, isMainThread} = require('worker_threads');

let rounds = 0;
let living = [];

function round() {
  const most = Math.floor(Math.random() * 20000);
  while (living.length < most) {
    const kind = living.length % 3;
    if (kind === 0) living.push({name: 'x'.repeat(Math.random() * 500), next: living[living.length - 1]});
    if (kind === 1) living.push(new Array(Math.floor(Math.random() * 200)).fill(living.length));
    if (kind === 2) living.push(Buffer.alloc(Math.floor(Math.random() * 4000), 1));
  }
  living = most < 2000 ? [] : living.slice(0, most / 2);
  ++rounds;
  setImmediate(round);
}

if (isMainThread) {
  for (let i = 0; i < 2; ++i) new Worker(__filename);
  setInterval(() => fs.writeFileSync('/data/done', rounds + '\n'), 500);
}
round();
