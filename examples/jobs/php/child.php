<?php
// Runs jobs as a warm child: one line of JSON each way, jobs on standard input.
//
//   {"job":{"id":7,"kind":"sum","payload":{"to":1000,"every":100},"checkpoint":null,"attempt":1}}
//       -> progress, checkpoint (answered by {"ok":"checkpoint"}), then done or failed
//   {"stop":"memory"} or "shutdown" or "cancel"
//       -> what was done since the last checkpoint is dropped: failed with retry
//   the end of standard input -> exit
// Standard output is for messages alone: warnings go to standard error.
ini_set('display_errors', 'stderr');

class Stopped extends Exception {}
function say(array $job, array $message): void
{
    fwrite(STDOUT, json_encode($message + ['id' => $job['id']], JSON_THROW_ON_ERROR) . "\n");
}

/** Returns once the state is durable; the next attempt begins there. */
function checkpoint(array $job, array $state): void
{
    say($job, ['checkpoint' => $state]);
    while (($line = fgets(STDIN)) !== false) {
        $answer = json_decode($line, true, 64, JSON_THROW_ON_ERROR);
        if (isset($answer['stop'])) {
            throw new Stopped($answer['stop']);
        }
        if (($answer['ok'] ?? null) === 'checkpoint') {
            return;
        }
    }
    throw new Stopped('the parent has gone');
}

/** The work: adds up the numbers to payload.to. */
function run_sum(array $job): array
{
    ['to' => $to, 'every' => $every] = $job['payload'];
    $state = $job['checkpoint'] ?? ['at' => 0, 'sum' => 0];
    while ($state['at'] < $to) {
        $end = min($state['at'] + $every, $to);
        $state = ['at' => $end, 'sum' => $state['sum'] + array_sum(range($state['at'] + 1, $end))];
        say($job, ['progress' => ['done' => $end, 'total' => $to, 'unit' => 'numbers']]);
        checkpoint($job, $state);
    }
    return ['sum' => $state['sum']];
}

while (($line = fgets(STDIN)) !== false) {
    $job = json_decode($line, true, 64, JSON_THROW_ON_ERROR)['job'] ?? null;
    if ($job === null) {
        continue; // a stop for a job that was done just then
    }
    try {
        say($job, $job['kind'] === 'sum' ? ['done' => run_sum($job)]
            : ['failed' => ['message' => "no such kind: {$job['kind']}", 'retry' => false]]);
    } catch (Throwable $error) { // the job's failure, not the child's
        say($job, ['failed' => ['message' => $error->getMessage(), 'retry' => true]]);
    }
}
