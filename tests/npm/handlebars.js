// Renders templates with Handlebars itself: requests and answers as compose/probe_script.c has them.
'use strict';
const readline = require('readline');
const { createRequire } = require('module');
const Handlebars = createRequire(process.argv[2] + '/')('handlebars');


function answer(line) {
  const q = JSON.parse(line);
  const own = Handlebars.create();
  own.log = () => {}; // {{log}} would write between the answers
  for (const [name, text] of Object.entries(q.partials || {})) own.registerPartial(name, text);
  const template = own.compile(q.template, { noEscape: !q.escape, strict: !q.lenient });
  return Buffer.from(template(q.data));
}

Handlebars.logger.log = () => {};
const out = [];
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  try {
    const bytes = answer(line);
    out.push(Buffer.from(`ok ${bytes.length}\n`), bytes);
  } catch (e) {
    out.push(Buffer.from('error ' + String(e.message).replace(/\s+/g, ' ') + '\n'));
  }
}).on('close', () => process.stdout.write(Buffer.concat(out)));
