<?php

namespace App\Http\Controllers;

use Illuminate\Http\Client\ConnectionException;
use Illuminate\Http\RedirectResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Http;

/**
 * Sends the browser to a CSV of the user's own orders, of any number.
 *
 *   browser ── GET /orders/export ──> this controller ── POST /api/v2/exports ──> Plimsoll
 *      │  <────── 303, a link ────────────┘  <──────────── 201, a link ─────────────┘
 *      └── GET link ────────────────────────────────────────────────────────────────^
 *
 * The file never passes through PHP: it is asked for here, in the user's name, and the browser
 * fetches it by a link that is good once and for ten minutes.
 */
final class OrderExportController
{
    /** Plimsoll answers within 30 s, or says that it is busy. */
    private const TIMEOUT_SECONDS = 35;

    public function __invoke(Request $request): RedirectResponse
    {
        $user = $request->user();
        $asked = [
            'resource' => 'orders',
            // The tenant comes from the session, never from the request. Values stand in
            // parameters of their own, not in the text of a filter: there is nothing to quote.
            'params' => array_filter([
                'filter[channel]' => $user->tenant,
                'filter[ordered_at][gte]' => $request->query('since'),
                'sort' => '-id',
            ]),
            'format' => 'csv',
            'filename' => "orders of {$user->name}.csv",
            'expires_in' => 600,
        ];
        $plimsoll = Http::timeout(self::TIMEOUT_SECONDS)->acceptJson();
        if ($key = config('services.plimsoll.key')) {
            $plimsoll = $plimsoll->withToken($key);
        }
        try {
            $answer = $plimsoll->post(config('services.plimsoll.url').'/api/v2/exports', $asked);
        } catch (ConnectionException $error) {
            report($error);
            abort(502, 'exports cannot be reached');
        }
        if (in_array($answer->status(), [429, 503], true)) {
            $again = ['Retry-After' => $answer->header('Retry-After') ?: '5'];
            abort(503, 'too many exports at the moment', $again);
        }
        if ($answer->status() === 400) {
            // A date that is none, for one; Plimsoll's sentence says what.
            abort(400, $answer->json('detail', 'the export was refused'));
        }
        $answer->throw();
        $link = $answer->json('url');
        if (str_starts_with($link, '/')) {
            $link = rtrim(config('services.plimsoll.public_url'), '/').$link;
        }

        // The link is a key to the file: nothing on the way may keep it.
        return redirect()->away($link, 303, ['Cache-Control' => 'no-store']);
    }
}
