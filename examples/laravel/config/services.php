<?php

return [

    // .. what stands there already

    'plimsoll' => [
        // Where this application reaches Plimsoll.
        'url' => env('PLIMSOLL_URL', 'http://127.0.0.1:8000'),
        // Where browsers reach it, if that is elsewhere.
        'public_url' => env('PLIMSOLL_PUBLIC_URL', env('PLIMSOLL_URL', 'http://127.0.0.1:8000')),
        // This application's key, if Plimsoll asks for one.
        'key' => env('PLIMSOLL_KEY'),
    ],

];
