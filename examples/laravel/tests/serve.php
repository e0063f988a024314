<?php

/*
 * Serves the example's route, controller and settings with a real Laravel and without an
 * application around them:
 *
 *   TESTED_LARAVEL=vendor/autoload.php php -S 127.0.0.1:8001 serve.php
 *
 * The login is the one thing that is not Laravel's: whoever says `ann:a` is Ann.
 */

use Illuminate\Config\Repository;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Foundation\Application;
use Illuminate\Http\Request;
use Illuminate\Http\Response;
use Illuminate\Support\Facades\Facade;
use Symfony\Component\HttpKernel\Exception\HttpExceptionInterface;

require getenv('TESTED_LARAVEL');
if (! class_exists(GuzzleHttp\Client::class)) {
    // Debian loads it for those alone who send requests.
    require 'GuzzleHttp/autoload.php';
}
require __DIR__.'/../app/Http/Controllers/OrderExportController.php';

final class Login
{
    private const USERS = ['ann' => ['a', 'online'], 'ben' => ['b', 'partner']];

    public function handle(Request $request, Closure $next)
    {
        $name = (string) $request->getUser();
        [$password, $tenant] = self::USERS[$name] ?? [null, null];
        if ($password === null || $request->getPassword() !== $password) {
            abort(401, '', ['WWW-Authenticate' => 'Basic']);
        }
        $user = (object) ['name' => $name, 'tenant' => $tenant];
        $request->setUserResolver(fn () => $user);

        return $next($request);
    }
}

/** `report()` of the controller ends here. */
final class Reports implements ExceptionHandler
{
    public function report(Throwable $e)
    {
        error_log((string) $e);
    }

    public function shouldReport(Throwable $e)
    {
        return true;
    }

    public function render($request, Throwable $e)
    {
        $status = $e instanceof HttpExceptionInterface ? $e->getStatusCode() : 500;
        $headers = $e instanceof HttpExceptionInterface ? $e->getHeaders() : [];

        return new Response($e->getMessage(), $status, $headers);
    }

    public function renderForConsole($output, Throwable $e)
    {
    }
}

$app = new Application(dirname(__DIR__));
$app->instance('config', new Repository([
    'app' => ['env' => 'testing', 'debug' => false],
    'services' => require __DIR__.'/../config/services.php',
]));
$app->singleton(ExceptionHandler::class, Reports::class);
Facade::setFacadeApplication($app);
$router = $app['router'];
$router->aliasMiddleware('auth', Login::class);
require __DIR__.'/../routes/web.php';

$request = Request::capture();
$app->instance('request', $request);
try {
    $response = $router->dispatch($request);
} catch (Throwable $e) {
    $response = $app->make(ExceptionHandler::class)->render($request, $e);
}
$response->send();
