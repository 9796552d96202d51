for s in '"manual"' '{"everyN":1000,"intervalMs":200}' '"everyWrite"'; do
rm -rf /tmp/rig/db
time node_modules/.bin/node --conditions=varve-source --no-warnings packages/sim/src/kill/writer.ts '{"path":"/tmp/rig/db","seed":1,"epoch":1,"options":{"sync":'$s',"pressure":"slow","logBytesMax":524288,"memtableBytesMax":16777216,"memoryBytesMax":67108864,"batchBytesMax":4194304,"workers":1,"syncWaitMsMax":20},"osWrites":2,"diskWrites":1,"ending":"close","lifeMs":2000}' | tail -3
done
