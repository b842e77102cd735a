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

// Handlebars adds where it means to join: of {{two}}{{three}} with the numbers 2 and 3 at the beginning of a template or
// block it makes 5. That is no behaviour to be equal to, so here each value becomes text before it is joined.
const { prototype } = Handlebars.JavaScriptCompiler;
const appendToBuffer = prototype.appendToBuffer;
prototype.appendToBuffer = function (source, location, explicit) {
  return appendToBuffer.call(this, ['"" + (', source, ')'], location, explicit);
};

const out = [];
readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', line => {
  try {
    const bytes = answer(line);
    out.push(Buffer.from(`ok ${bytes.length}\n`), bytes);
  } catch (e) {
    out.push(Buffer.from('error ' + String(e.message).replace(/\s+/g, ' ') + '\n'));
  }
}).on('close', () => process.stdout.write(Buffer.concat(out)));
