// The snapshot story with the OpenSearch JavaScript client:  node story.mjs URL LOCATION
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

// The client is installed beside the working folder, not beside this file.
const { Client, errors } = createRequire(process.cwd() + '/')('@opensearch-project/opensearch')
const [url, location] = process.argv.slice(2)
const c = new Client({ node: url })

assert.equal((await c.info()).body.version.distribution, 'opensearch')
await c.indices.create({ index: 'js-books', body: { settings: { number_of_shards: 1, number_of_replicas: 0 } } })
const bulk = await c.helpers.bulk({
  datasource: Array.from({ length: 300 }, (_, i) => ({ title: `book ${i}`, pages: i })),
  onDocument: (d) => ({ index: { _index: 'js-books', _id: String(d.pages) } }),
  refreshOnCompletion: true
})
assert.equal(bulk.successful, 300)

await c.snapshot.createRepository({ repository: 'js-repo', body: { type: 'fs', settings: { location, compress: true } } })
const made = await c.snapshot.create({ repository: 'js-repo', snapshot: 'one', wait_for_completion: true, body: { indices: 'js-books' } })
assert.equal(made.body.snapshot.state, 'SUCCESS')
await assert.rejects(c.snapshot.create({ repository: 'js-repo', snapshot: 'one', wait_for_completion: true }),
  (e) => e instanceof errors.ResponseError && e.statusCode === 400 && e.body.error.type === 'invalid_snapshot_name_exception')
await assert.rejects(c.snapshot.restore({ repository: 'js-repo', snapshot: 'one', wait_for_completion: true }),
  (e) => e.statusCode === 500 && e.body.error.type === 'snapshot_restore_exception' && e.body.error.reason.includes('js-books'))

await c.indices.delete({ index: 'js-books' })
const restored = await c.snapshot.restore({ repository: 'js-repo', snapshot: 'one', wait_for_completion: true })
assert.deepEqual(restored.body.snapshot.shards, { total: 1, failed: 0, successful: 1 })
const found = await c.search({ index: 'js-books', body: { query: { range: { pages: { gte: 100 } } }, sort: [{ pages: 'desc' }], size: 2 } })
assert.equal(found.body.hits.total.value, 200)
assert.deepEqual(found.body.hits.hits.map((h) => h._id), ['299', '298'])

const status = await c.snapshot.status({ repository: 'js-repo', snapshot: 'one' })
assert.equal(status.body.snapshots[0].shards_stats.done, 1)
const listed = await c.snapshot.get({ repository: 'js-repo', snapshot: '*', verbose: false })
assert.deepEqual(listed.body.snapshots.map((s) => s.snapshot), ['one'])
await c.snapshot.delete({ repository: 'js-repo', snapshot: 'one' })
await c.snapshot.deleteRepository({ repository: 'js-repo' })
await c.indices.delete({ index: 'js-books' })
await c.close()
console.log('opensearch-js: ok')
