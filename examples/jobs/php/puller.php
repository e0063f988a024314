<?php

/*
 * Works at jobs of Plimsoll over HTTP, with PHP's own functions alone; see ../python/puller.py.
 *
 *     PLIMSOLL_URL=http://127.0.0.1:8000 php puller.php [--once]
 *
 * A checkpoint renews the lease as a heartbeat does, so chunks that take less than lease_ms need
 * no other. SIGTERM ends it where the pcntl extension is not there to hand the job back; then the
 * lease runs out, and the job goes on behind its last checkpoint.
 */

declare(strict_types=1);

final class LeaseLost extends Exception {}

$stopping = false;
if (function_exists('pcntl_async_signals')) {
    pcntl_async_signals(true);
    pcntl_signal(SIGTERM, function () use (&$stopping): void { $stopping = true; });
}

function post(string $path, array $body): array
{
    $headers = ['Content-Type: application/json'];
    if ($key = getenv('PLIMSOLL_KEY')) {
        $headers[] = "Authorization: Bearer $key";
    }
    $http = ['method' => 'POST', 'header' => $headers, 'content' => json_encode($body),
        'ignore_errors' => true, 'timeout' => 60];
    $url = (getenv('PLIMSOLL_URL') ?: 'http://127.0.0.1:8000') . $path;
    $text = file_get_contents($url, false, stream_context_create(['http' => $http]));
    if ($text === false) {
        throw new RuntimeException("no answer from $url");
    }
    $answer = json_decode($text, true, flags: JSON_THROW_ON_ERROR);
    if (str_ends_with($answer['type'] ?? '', '/lease-lost')) {
        throw new LeaseLost();
    }
    if (isset($answer['status'])) {
        throw new RuntimeException($answer['detail']);
    }
    return $answer;
}

/** The work: chunks of lines, and a checkpoint behind each. */
function upper(array $payload, ?array $at, callable $save): ?array
{
    $at ??= ['read' => 0, 'written' => 0, 'lines' => 0];
    $source = fopen($payload['from'], 'rb') ?: throw new RuntimeException('no such file');
    $target = fopen($payload['to'], 'cb') ?: throw new RuntimeException('no such place');
    ftruncate($target, $at['written']); // away with what no checkpoint counts
    fseek($target, $at['written']);
    fseek($source, $at['read']);
    while (!feof($source)) {
        for ($lines = 0; $lines < ($payload['chunk'] ?? 1000); $lines++) {
            if (($line = fgets($source)) === false) {
                break;
            }
            fwrite($target, strtoupper($line));
        }
        fsync($target);
        $at = ['read' => ftell($source), 'written' => ftell($target),
            'lines' => $at['lines'] + $lines];
        if ($save($at, ['done' => $at['lines'], 'unit' => 'lines'])) {
            return null; // asked to stop
        }
    }
    return ['lines' => $at['lines']];
}

function work(array $job, bool &$stopping): void
{
    [$path, $token] = ["/jobs/{$job['id']}/", $job['token']];
    $save = function (array $checkpoint, array $progress) use ($path, $token, &$stopping): bool {
        $told = post("{$path}checkpoint", compact('token', 'checkpoint', 'progress'));
        return $told['wish'] !== null || $stopping;
    };
    try {
        $result = upper($job['payload'], $job['checkpoint'], $save);
        $result === null
            ? post("{$path}fail", ['token' => $token, 'stopped' => true])
            : post("{$path}complete", compact('token', 'result'));
    } catch (LeaseLost) {
        fwrite(STDERR, "job {$job['id']} is another's by now\n");
    } catch (Throwable $error) { // the job failed, this program goes on
        post("{$path}fail", ['token' => $token, 'message' => $error->getMessage()]);
    }
}

$ask = ['worker' => 'php-' . getmypid(), 'kinds' => ['file.upper'], 'wait_ms' => 5000];
do {
    $claimed = post('/jobs/claim', $ask);
    foreach ($claimed['jobs'] as $job) {
        work($job, $stopping);
    }
    $idle = in_array('--once', $argv, true) && $claimed['jobs'] === [];
} while (!$stopping && $claimed['wish'] === null && !$idle);
