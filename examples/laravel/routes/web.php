<?php

use App\Http\Controllers\OrderExportController;
use Illuminate\Support\Facades\Route;

Route::get('/orders/export', OrderExportController::class)
    ->middleware('auth')
    ->name('orders.export');
